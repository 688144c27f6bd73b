import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findNodeTrouble } from './node-version.ts'

describe('the Node that runs us', () => {
  it.each(['22.19.0', '22.20.0', '24.0.0', '24.21.0', '100.0.0'])('may be %s', (version) => {
    expect(findNodeTrouble(version)).toBeUndefined()
  })

  it.each(['18.20.8', '20.20.2', '22.9.0', '22.18.0'])('may not be %s: what is needed is said instead', (version) => {
    expect(findNodeTrouble(version)).toContain(`This is Node.js ${version}, and Node.js 22.19 or later is needed.`)
  })
})

describe('what is read before the look at Node', () => {
  const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')

  it('imports nothing that an old Node may lack', () => {
    expect(read('main.ts')).not.toMatch(/^(?:import\s+[^(]|export .* from|await )/m)
    expect([...read('node-version.ts').matchAll(/^import .*$/gm)].map(([line]) => line)).toEqual([
      "import { readFileSync } from 'node:fs'",
    ])
  })
})
