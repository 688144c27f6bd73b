// What the built package says to Nodes that cannot run it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from './programs.ts'

const root = resolve(import.meta.dirname, '../..')
// What it has in `node_modules` is not there: whatever is loaded of it before the look at Node shows.
const folder = mkdtempSync(join(tmpdir(), 'old-node-'))

beforeAll(() => {
  const built = spawnSync(process.execPath, [join(root, 'scripts/bundle.ts'), join(folder, 'dist/command')], { cwd: root })
  expect(built.status, String(built.stderr)).toBe(0)
  for (const name of ['package.json', 'bin/open-mcp-auth-proxy.cjs']) cpSync(join(root, name), join(folder, name))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe.each(['node16', 'node18', 'node20'] as const)('%s', (name) => {
  const node = findProgram(name)
  it.skipIf(node === undefined)('is told which Node is needed, in one line', () => {
    const { status, stdout, stderr } = spawnSync(node ?? '', [join(folder, 'bin/open-mcp-auth-proxy.cjs'), '--version'], {
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^error This is Node\.js \d+\.[\d.]+, and Node\.js 22\.19 or later is needed\. .+\n$/)
    expect(stderr).toContain(`This is Node.js ${name.slice(4)}.`)
  })
})
