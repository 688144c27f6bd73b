// The release workflow, as far as it can be run without a registry: its own commands, in a copy of the sources.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { findProgram } from '../interop/programs.ts'

const root = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)
// Beside what is installed, so that this needs no copy.
mkdirSync(join(root, '.cache'), { recursive: true })
const folder = mkdtempSync(join(root, '.cache/release-'))
afterAll(() => rmSync(folder, { recursive: true }))

const helm = findProgram('helm')
const read = (path: string): string => readFileSync(join(folder, path), 'utf8')

/** Neither what is installed nor what is made. */
const LEFT_OUT = new Set(['node_modules', '.git', '.cache', 'dist'])

/** The sources, with a section of the changelog for their version. */
async function copySources(): Promise<string> {
  const sources = readdirSync(root).filter((name) => !LEFT_OUT.has(name))
  await execute('cp', ['-a', ...sources, folder], { cwd: root })
  // A symbolic link would be another package to npm.
  await execute('cp', ['-al', 'node_modules', folder], { cwd: root })
  const { version } = JSON.parse(read('package.json')) as { version: string }
  const changelog = read('CHANGELOG.md').replace('## [Unreleased]', `## [Unreleased]\n\n## [${version}] - 2026-12-01\n\n- New.`)
  writeFileSync(join(folder, 'CHANGELOG.md'), changelog)
  return version
}

it.skipIf(helm === undefined)(
  'packs what it publishes: a package that npm publishes, a chart that Helm reads, an SBOM, and notes',
  async () => {
    const version = await copySources()
    const env = {
      ...process.env,
      GITHUB_REF_NAME: `v${version}`,
      PATH: `${dirname(helm ?? '')}:${process.env.PATH}`,
      // Other tests build: here, names count.
      npm_config_ignore_scripts: 'true',
    }
    const run = (script: string) => execute('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd: folder, env })
    const { publish } = (parse(read('.github/workflows/release.yml')) as Workflow).jobs
    const script = (name: string): string => publish.steps.find((step) => step.name?.startsWith(name))?.run ?? ''

    await run(script('Package'))
    const packed = [`open-mcp-auth-proxy-${version}.tgz`, `open-mcp-auth-proxy-chart-${version}.tgz`]
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['notes.md', ...packed, 'sbom.spdx.json'])
    expect(read('out/notes.md')).toContain('- New.')
    expect(JSON.parse(read('out/sbom.spdx.json'))).toMatchObject({ spdxVersion: expect.stringMatching(/^SPDX-/) })
    const chart = await execute(helm ?? '', ['show', 'chart', join(folder, 'out', packed[1] ?? '')])
    expect(parse(chart.stdout)).toMatchObject({ name: 'open-mcp-auth-proxy', version, appVersion: version })

    // What npm takes the argument for, it tells here without asking the registry.
    const told = await run(
      script('npm').replace('npm publish', 'npm pack --dry-run --json').replace('--provenance --access public', ''),
    )
    expect(JSON.parse(told.stdout)).toMatchObject([{ name: 'open-mcp-auth-proxy', version, filename: packed[0] }])
  },
)

interface Workflow {
  readonly jobs: { readonly publish: { readonly steps: readonly { readonly name?: string; readonly run?: string }[] } }
}
