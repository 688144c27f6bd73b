import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/api.md'), 'utf8')
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { readonly types: string; readonly default: string }>
}
const entries = Object.entries(exports).flatMap(([name, target]) => (typeof target === 'string' ? [] : [{ name, target }]))

describe('what the package exports', () => {
  it.each(entries)('$name has a source for its code and its types, and is in docs/api.md', ({ name, target }) => {
    const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')
    expect(existsSync(join(root, source))).toBe(true)
    expect(target.types).toBe(target.default.replace(/\.js$/, '.d.ts'))
    expect(page).toContain(`\`${name.replace('.', 'open-mcp-auth-proxy')}\``)
  })

  it.each(entries)('every function of $name is described in docs/api.md', async ({ target }) => {
    const source = target.default.replace('./dist/', '../src/').replace(/\.js$/, '.ts')
    const names = Object.keys((await import(source)) as object)
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) expect(page).toMatch(new RegExp(`\`${name}(?:\\([^\`]*)?\``))
  })
})
