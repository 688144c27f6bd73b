import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))

const source = `export function checkAge(age: number): void {
  if (age < 18) throw new Error('too young for this place', { cause: age })
}
`
const tests = (body: string): string => `import { expect, it } from 'vitest'
import { checkAge } from '../src/age.ts'
it('judges', () => {
  ${body}
})
`
const weak = 'expect(() => checkAge(3)).toThrow(); checkAge(30)'
const strong = 'expect(() => checkAge(17)).toThrow(); checkAge(18)'

describe('a mutation run', () => {
  let folder: string

  beforeAll(() => {
    mkdirSync(join(root, '.cache'), { recursive: true })
    folder = mkdtempSync(join(root, '.cache', 'mutation-test-'))
    write('package.json', '{ "type": "module" }')
    write('src/age.ts', source)
    write('src/age.test.ts', tests(weak))
    write('far/age.test.ts', tests(strong))
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }

  async function mutate(...args: string[]): Promise<string> {
    const script = join(root, 'scripts/mutation.ts')
    const env = { PATH: process.env.PATH, HOME: process.env.HOME }
    return (await promisify(execFile)(process.execPath, [script, 'src', ...args], { cwd: folder, env })).stdout
  }

  it('names the change that the tests beside a file do not notice, and leaves the file as it is', async () => {
    const report = await mutate()
    expect(report).toContain('src/age.ts:2:7 age < 18 → age <= 18\n')
    expect(report).toMatch(/(\d+) of (?!\1)\d+ mutants were noticed: \d\d\.\d %/)
    expect(report.match(/→/g)).toHaveLength(1)
    expect(readFileSync(join(folder, 'src/age.ts'), 'utf8')).toBe(source)
    const results = JSON.parse(readFileSync(join(folder, '.cache/mutation/src.json'), 'utf8'))
    expect(results).toContainEqual(expect.objectContaining({ replacement: 'age <= 18', status: 'Survived' }))
  })

  it('keeps its results also where so many files were chosen that no file could have the name of all', async () => {
    const report = await mutate(...Array.from({ length: 40 }, () => 'src/age.ts'))
    const [, resultFile = ''] = /^Each mutant: (.+)$/m.exec(report) ?? []
    expect(JSON.parse(readFileSync(join(folder, resultFile), 'utf8'))).toContainEqual(
      expect.objectContaining({ status: 'Survived' }),
    )
  })

  it('shows what lives on to the slower tests', async () => {
    const report = await mutate('--tests', 'far/*.test.ts')
    expect(report).not.toContain('→')
    expect(report).toMatch(/(\d+) of \1 mutants were noticed: 100\.0 %/)
  })

  it('changes only a part when a sample is asked for', async () => {
    expect(await mutate('--sample', '0.0001')).toContain('0 of 0 mutants were noticed: nothing to change')
  })

  it('refuses arguments that mean nothing', async () => {
    await expect(mutate('--sample', '2')).rejects.toThrow('--sample is a share above 0, 1 at most')
  })
})
