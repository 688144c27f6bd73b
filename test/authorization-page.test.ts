import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compileExpression } from '../src/policy/expression/expression.ts'
import { functions } from '../src/policy/expression/functions.ts'
import { facts, records } from '../src/policy/expression/names.ts'
import { ExpressionError } from '../src/policy/expression/syntax.ts'

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
