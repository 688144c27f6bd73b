import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ruleCasesSchema } from '../src/config/schema/rule-case.ts'
import { compileExpression } from '../src/policy/expression/expression.ts'
import { functions } from '../src/policy/expression/functions.ts'
import { facts, records } from '../src/policy/expression/names.ts'
import { findSlips } from '../src/policy/expression/slips.ts'
import { ExpressionError } from '../src/policy/expression/syntax.ts'
import { runCommand } from './support/run-command.ts'

const page = readFileSync(new URL('../docs/authorization.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/```cel\n([\s\S]*?)```/g)].flatMap(([, lines = '']) => lines.trim().split('\n'))
const section = (title: string) => page.split(`### ${title}\n`)[1]?.split('\n#')[0] ?? ''
const firstCells = (text: string) => [...text.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = '']) => cell)

describe('the page on expressions', () => {
  it.each(examples)('shows what may be written: %s', (source) => {
    expect(compileExpression(source, 'require').source).toBe(source)
  })

  it.each(firstCells(section('What is refused at the start')).map((cell) => cell.slice(1, -1)))(
    'names what is refused: %s',
    (source) => {
      expect(() => compileExpression(source, 'require')).toThrow(ExpressionError)
    },
  )

  it.each(firstCells(section('What each start tells')).map((cell) => cell.slice(1, -1)))(
    'says what each start tells: %s',
    (source) => {
      expect(findSlips(source, 'require')).toHaveLength(1)
    },
  )

  it('names all that expressions see, and nothing else', () => {
    const members = [...records].flatMap(([name, ofName]) => [...ofName.keys()].map((member) => `${name}.${member}`))
    const named = firstCells(section('Names')).flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
    expect(named.sort()).toEqual([...members, ...facts.keys()].sort())
  })

  it('names every function', () => {
    const text = section('What there is')
    for (const key of functions.keys()) expect(text).toContain(key.replace(/^\.?(\w+)\/\d$/, '$1'))
  })

  it('has examples', () => {
    expect(examples.length).toBeGreaterThan(5)
    expect(firstCells(section('What is refused at the start')).length).toBeGreaterThan(5)
  })
})

const directory = mkdtempSync(join(tmpdir(), 'recipes-'))
afterAll(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const chapter = (title: string) => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? ''
const listBlocks = (text: string) => [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block)
const recipes = chapter('Recipes')
  .split('\n### ')
  .slice(1)
  .map((text) => [text.split('\n')[0] ?? '', listBlocks(text)] as const)

describe('the recipes for access and rules', () => {
  it.each(recipes)('%s: does what its cases say, and they leave nothing out', async (_, blocks) => {
    expect(blocks).toHaveLength(2)
    const [config = '', cases = ''] = blocks
    const { code, output } = await runCommand([
      'rules',
      'test',
      write('cases.yaml', cases),
      '--config',
      write('config.yaml', config),
    ])
    expect(output).toMatch(/^\d+ of \d+ cases came out as expected\.\n$/)
    expect(code).toBe(0)
  })

  it('are eleven', () => {
    expect(recipes).toHaveLength(11)
  })

  it('come after an example of cases that fit the example of the model', async () => {
    const [config = ''] = listBlocks(chapter('The model'))
    const [cases = ''] = listBlocks(chapter('Testing rules'))
    const { code, output } = await runCommand(['rules', 'test', write('c.yaml', cases), '--config', write('m.yaml', config)])
    expect({ code, output }).toEqual({ code: 0, output: '7 of 7 cases came out as expected.\n' })
  })

  it('come after an explanation that fits the example of the model', async () => {
    const [config = ''] = listBlocks(chapter('The model'))
    const [, args = '', claims = ''] = /--args '(.*?)' --claims '(.*?)'/.exec(chapter('Explaining a decision')) ?? []
    const file = write('m.yaml', config)
    const { code, output } = await runCommand(['explain', file, '--tool', 'refund', '--args', args, '--claims', claims])
    expect(code).toBe(3)
    expect(output).toContain('Refunds over 100 need')
  })
})

describe('the page on testing rules', () => {
  it('names every key of a case', () => {
    const keys = firstCells(chapter('Testing rules')).flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
    const { cases } = ruleCasesSchema.shape
    expect(keys.sort()).toEqual(Object.keys(cases.element.shape).sort())
  })
})
