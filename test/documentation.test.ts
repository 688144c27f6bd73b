import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { formatHelp } from '../src/cli/help.ts'
import { PROVIDER_CHOICES } from '../src/cli/init/providers.ts'
import { resolveKind } from '../src/config/derive/identity-provider-kind.ts'
import { loadConfigFile, loadConfigText } from '../src/config/load.ts'
import { IDENTITY_PROVIDER_KINDS } from '../src/identity/kinds.ts'
import { createCertificate } from './support/certificate.ts'

const root = new URL('../', import.meta.url).pathname
const names = readdirSync(join(root, 'samples')).filter((name) => name.endsWith('.yaml'))
const directory = mkdtempSync(join(tmpdir(), 'samples-'))
afterAll(() => rmSync(directory, { recursive: true }))

const env = {
  SESSION_KEY: 'key of tests.'.repeat(3),
  TICKETS_TOKEN: 'token',
  INTROSPECTION_SECRET: 'secret',
  IDENTITY_PROVIDER_SECRET: 'secret',
  BROKER_KEY: Buffer.alloc(32, 'key of tests').toString('base64'),
}

describe('the samples', () => {
  cpSync(join(root, 'samples'), directory, { recursive: true })
  const { cert, key } = createCertificate()
  writeFileSync(join(directory, 'fullchain.pem'), cert)
  writeFileSync(join(directory, 'privkey.pem'), key)

  it.each(names)('%s is valid, without a notice but of how to keep MCP sessions', (name) => {
    const { notices } = loadConfigFile(join(directory, name), { env, terminal: false })
    const isOfSessions = (notice: string) => notice.startsWith('session_key: random') || notice.includes('(Mcp-Session-Id)')
    expect(notices.filter((notice) => !isOfSessions(notice))).toEqual([])
  })

  it.each(names)('%s names the schema for editors, which accepts it', (name) => {
    const text = readFileSync(join(directory, name), 'utf8')
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/docs\/config\.schema\.json\n/)
    const schema = z.fromJSONSchema(JSON.parse(readFileSync(join(root, 'docs/config.schema.json'), 'utf8')))
    expect(schema.safeParse(parse(text))).toMatchObject({ success: true })
    expect(schema.safeParse({ ...parse(text), unknown: 1 })).toMatchObject({ success: false })
  })
})

describe.each(IDENTITY_PROVIDER_KINDS)('the kind of identity provider %s', (kind) => {
  it('has a sample', () => {
    const file = join(root, `samples/sign-in-${kind}.yaml`)
    expect(existsSync(file)).toBe(true)
    expect(resolveKind(parse(readFileSync(file, 'utf8')).identity_provider)).toBe(kind)
  })

  it('has a row in the table of docs/identity-providers.md', () => {
    const page = readFileSync(join(root, 'docs/identity-providers.md'), 'utf8')
    expect(page.split('\n').filter((line) => line.startsWith(`| \`${kind}\` |`))).toHaveLength(1)
  })

  it('is offered by `init`', () => {
    expect(PROVIDER_CHOICES.map(({ choice }) => choice)).toContain(kind)
  })
})

describe('the generated pages', () => {
  it('are what the schema and the catalogue say', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.ts', '--check'], { cwd: root, encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('show configurations that are valid', () => {
    const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
    const [smallest = ''] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
    expect(loadConfigText(smallest, { env, directory, terminal: false }).plan.servers).toHaveLength(1)
  })
})

describe('the README', () => {
  it('shows a configuration that is valid', () => {
    const [block = ''] = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      (match) => match[1] ?? '',
    )
    const { plan, notices } = loadConfigText(block, { env, directory, terminal: false })
    expect(plan.servers.map(({ name }) => name)).toEqual(['files', 'mail'])
    expect(notices).toEqual([expect.stringMatching(/^session_key: random/)])
  })

  it('names commands and flags that there are', () => {
    const lines = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^npx \. ([^#\n]*)/gm)].map(
      (match) => match[1] ?? '',
    )
    const known = formatHelp()
    const words = lines.flatMap((line) => line.split(' -- ')[0]?.match(/^[a-z]+(?: test)?|--[a-z-]+/g) ?? [])
    expect(words.length).toBeGreaterThan(8)
    expect(words.filter((word) => !known.includes(`  ${word} `))).toEqual([])
  })
})

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

/** What npm packs: what package.json names, and what it packs in any case. */
const packed = [...JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).files, 'README.md', 'LICENSE', 'package.json']

function listLinkedFiles(page: string): string[] {
  const targets = [...readWithoutCode(page).matchAll(/\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g)].map((match) => match[1] ?? '')
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(page), target))
}

/** Sections of Markdown pages, with their page: also those of the page itself. */
function listLinkedSections(page: string): (readonly [file: string, section: string])[] {
  const links = [...readWithoutCode(page).matchAll(/\]\((?![a-z]+:)([^)\s#]*)#([^)\s]+)\)/g)]
  return links
    .map(([, file = '', section = '']) => [file === '' ? page : join(dirname(page), file), section] as const)
    .filter(([file]) => file.endsWith('.md'))
}

/** The ids that GitHub gives headings: small letters, hyphens for blanks, numbers for repeated ones. */
function listSections(page: string): string[] {
  const headings = [...readWithoutCode(page).matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '')
  const ids = headings.map((heading) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
  return ids.map((id, index) => {
    const before = ids.slice(0, index).filter((other) => other === id).length
    return before === 0 ? id : `${id}-${before}`
  })
}

function readWithoutCode(page: string): string {
  return readFileSync(join(root, page), 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
}

describe('the pages', () => {
  it.each(pages)('%s links only to files that exist', (page) => {
    expect(listLinkedFiles(page).filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it.each(pages)('%s links only to sections that exist', (page) => {
    expect(listLinkedSections(page).filter(([file, section]) => !listSections(file).includes(section))).toEqual([])
  })

  it.each(pages)('%s links in the package only to what is packed', (page) => {
    const isPacked = (file: string): boolean => packed.some((kept) => file === kept || file.startsWith(`${kept}/`))
    const missing = listLinkedFiles(page).filter((file) => !isPacked(file.replace(/\/$/, '')))
    // Two pages are about the sources, and say where these are.
    const isAboutSources = readFileSync(join(root, page), 'utf8').includes(
      'Links to `src/` work in the repository, not in the package.',
    )
    expect(missing.filter((file) => !isAboutSources || !/^src\b/.test(file))).toEqual([])
  })

  it('say for many questions in which file they are decided', () => {
    const [, table = ''] = readFileSync(join(root, 'docs/request-lifecycle.md'), 'utf8').split('## Where is it decided that')
    const rows = table.split('\n').filter((line) => /^\| (?!…)[a-z]/.test(line))
    expect(rows.length).toBeGreaterThan(25)
    for (const row of rows) expect(row).toMatch(/\]\(\.\.\/src\/[\w./-]+\.ts\)/)
  })

  it('name, in the life of a request, each step of the pipeline', () => {
    const linked = listLinkedFiles('docs/request-lifecycle.md')
    const pipeline = readFileSync(join(root, 'src/pipeline/pipeline.ts'), 'utf8')
    const steps = [...pipeline.matchAll(/from '\.\/([\w-]+\.ts)'/g)].map((match) => `src/pipeline/${match[1]}`)
    const notSteps = ['src/pipeline/edge.ts', 'src/pipeline/exchange.ts']
    expect(linked).toEqual(expect.arrayContaining(steps.filter((step) => !notSteps.includes(step))))
  })
})
