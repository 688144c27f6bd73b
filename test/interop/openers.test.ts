// Whatever a client calls a file: no opener may get at what policy protects. test/security/resource-openers.test.ts asks Node.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolvePath } from '../support/openers.ts'
import { protections, resourceUris } from '../support/resource-uris.ts'

const folder = join(import.meta.dirname, 'openers')
const programs = [
  { language: 'Python', command: ['python3', join(folder, 'openers.py')], probe: ['python3', '--version'] },
  { language: 'Go', command: ['go', 'run', join(folder, 'openers.go')], probe: ['go', 'version'] },
  { language: 'Java', command: ['java', join(folder, 'Openers.java')], probe: ['javac', '--version'] },
]

function run([command = '', ...parameters]: readonly string[], input = '') {
  return spawnSync(command, parameters, { input, encoding: 'utf8', maxBuffer: 1 << 28 })
}

/** Nothing is skipped under CI. */
function isMissing(language: string, probe: readonly string[]): boolean {
  if (run(probe).status === 0) return false
  if (process.env.CI) throw new Error(`${language} is missing`)
  console.warn(`skipped: ${language} is missing`)
  return true
}

/** What each opener of a program makes of each URI. */
function openAll(command: readonly string[], uris: readonly string[]): readonly (readonly string[])[] {
  const { status, stdout, stderr } = run(command, uris.map((uri) => `${encode(uri)}\n`).join(''))
  expect(status, stderr).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(uris.length)
  return lines.map((line) => line.split(' ').map((path) => (path === '.' ? '' : Buffer.from(path, 'base64').toString())))
}

function encode(uri: string): string {
  return Buffer.from(uri).toString('base64')
}

// An empty line would be no URI.
const uris = fc.sample(resourceUris, 3000).filter((uri) => uri !== '')
const permitted = protections.map(({ permits }) => uris.filter(permits))

describe.each(programs)('$language', ({ language, command, probe }) => {
  it.skipIf(isMissing(language, probe))(
    'opens nothing protected of any URI that is permitted',
    () => {
      const opened = new Map(uris.map((uri, index) => [uri, index] as const))
      const paths = openAll(command, uris)
      // It does open what is named plainly.
      expect(openAll(command, ['file:///srv/public/a'])[0]).toContain('/srv/public/a')
      for (const [index, { what, protects }] of protections.entries()) {
        const got = (permitted[index] ?? []).flatMap((uri) => {
          const results = paths[opened.get(uri) ?? -1] ?? []
          const bad = results.flatMap((path, opener) =>
            resolvePath(path)
              .filter(protects)
              .map((one) => `${opener}: ${one}`),
          )
          return bad.length > 0 ? [{ uri, bad }] : []
        })
        expect(got.slice(0, 5), what).toEqual([])
      }
    },
    240_000,
  )
})
