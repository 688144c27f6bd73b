import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { loadConfigFile, loadConfigText } from '../src/config/load.ts'
import { createCertificate } from './support/certificate.ts'

const root = new URL('../', import.meta.url).pathname
const names = readdirSync(join(root, 'samples')).filter((name) => name.endsWith('.yaml'))
const directory = mkdtempSync(join(tmpdir(), 'samples-'))
afterAll(() => rmSync(directory, { recursive: true }))

const env = {
  SESSION_KEY: 'k'.repeat(32),
  TICKETS_TOKEN: 'token',
  INTROSPECTION_SECRET: 'secret',
  IDENTITY_PROVIDER_SECRET: 'secret',
  BROKER_KEY: Buffer.alloc(32, 1).toString('base64'),
}

describe('the samples', () => {
  cpSync(join(root, 'samples'), directory, { recursive: true })
  const { cert, key } = createCertificate()
  writeFileSync(join(directory, 'fullchain.pem'), cert)
  writeFileSync(join(directory, 'privkey.pem'), key)

  it.each(names)('%s is valid, without a notice but of how to keep MCP sessions', (name) => {
    const { notices } = loadConfigFile(join(directory, name), { env, terminal: false })
    expect(notices.filter((notice) => !notice.startsWith('session_key: random'))).toEqual([])
  })

  it.each(names)('%s names the schema for editors, which accepts it', (name) => {
    const text = readFileSync(join(directory, name), 'utf8')
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/docs\/config\.schema\.json\n/)
    const schema = z.fromJSONSchema(JSON.parse(readFileSync(join(root, 'docs/config.schema.json'), 'utf8')))
    expect(schema.safeParse(parse(text))).toMatchObject({ success: true })
    expect(schema.safeParse({ ...parse(text), unknown: 1 })).toMatchObject({ success: false })
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
