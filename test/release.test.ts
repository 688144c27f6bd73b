import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { describeRelease, type ReleaseFiles } from '../scripts/release/describe-release.ts'

const root = resolve(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

const files: ReleaseFiles = {
  package: JSON.stringify({ version: '1.2.3', repository: { url: 'git+https://github.com/owner/name.git' } }),
  lock: JSON.stringify({ version: '1.2.3' }),
  chart: 'version: 1.2.3\nappVersion: "1.2.3"\n',
  sidecar: 'image: open-mcp-auth-proxy:1.2.3',
  changelog:
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n### Added\n\n- Something.\n\n## [1.2.2] - 2026-11-01\n\n- Old.\n',
}

describe('a release', () => {
  it('has the section of the changelog as its notes', () => {
    expect(describeRelease('v1.2.3', files, 'owner/name')).toEqual({ notes: '### Added\n\n- Something.', problems: [] })
  })

  it.each([
    ['1.2.3', files, undefined, /is not a tag/],
    ['v1.2.3; rm', files, undefined, /is not a tag/],
    ['v1.2.4', files, undefined, /package\.json is 1\.2\.3/],
    ['v1.2.3', { ...files, chart: 'version: 1.2.3\nappVersion: 1.2.2\n' }, undefined, /appVersion of Chart\.yaml is 1\.2\.2/],
    ['v1.2.3', { ...files, changelog: '## [Unreleased]\n\n- All.\n' }, undefined, /no section \[1\.2\.3\]/],
    ['v1.2.3', { ...files, sidecar: 'image: open-mcp-auth-proxy:1.2.2' }, undefined, /image of sidecar\.yaml is 1\.2\.2/],
    ['v1.2.3', files, 'other/name', /this is other\/name/],
  ])('ends before anything is published where something does not fit: %s', (tag, given, repository, said) => {
    expect(describeRelease(tag, given, repository).problems.join('\n')).toMatch(said)
  })
})

describe('the release workflow', () => {
  const workflow = parse(read('.github/workflows/release.yml'))
  type Step = { readonly run?: string; readonly uses?: string; readonly with?: Readonly<Record<string, unknown>> }
  const jobs = Object.entries<{ steps: Step[]; permissions: Record<string, string>; needs?: string }>(workflow.jobs)
  const scripts = jobs.flatMap(([, { steps }]) => steps.flatMap(({ run }) => run ?? []))

  it('publishes only what the whole suite has passed, with no more rights than it needs', () => {
    expect(workflow.permissions).toEqual({})
    expect(workflow.jobs.publish.needs).toBe('test')
    expect(workflow.jobs.test.permissions).toEqual({ contents: 'read' })
    expect(workflow.jobs.test.steps.some(({ run }: Step) => run === 'bash .ci/run')).toBe(true)
    for (const [, { steps }] of jobs)
      for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/checkout')))
        expect(step.with).toEqual({ 'persist-credentials': false })
  })

  it('takes nothing from outside into its commands but by variables', () => {
    for (const script of scripts) expect(script).not.toContain('${{')
  })

  it('has scripts that a shell can read, of files that are there', () => {
    for (const script of scripts) {
      expect(spawnSync('bash', ['-n'], { input: script }).stderr.toString()).toBe('')
      for (const [, path = ''] of script.matchAll(/(?:node|bash) ((?:scripts|deploy|\.ci)\/\S+)/g))
        expect(existsSync(join(root, path)), path).toBe(true)
      for (const [path] of script.matchAll(/deploy\/helm\/\S+/g)) expect(existsSync(join(root, path)), path).toBe(true)
    }
  })

  it('publishes with provenance and an SBOM', () => {
    const text = scripts.join('\n')
    expect(text).toMatch(/npm publish "\.\/out\/\S+" --provenance/)
    expect(text).toContain('npm sbom --omit=dev')
    expect(
      jobs.flatMap(([, { steps }]) => steps).filter(({ uses }) => uses?.startsWith('actions/attest-build-provenance')),
    ).toHaveLength(2)
  })
})
