import { celEnv, parse, plan } from '@bufbuild/cel'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFacts } from '../../../test/support/expressions.ts'
import { createWork } from '../work.ts'
import { createArgumentReader } from './arguments.ts'
import { type CompiledExpression, compileExpression } from './expression.ts'
import type { ExpressionFacts } from './facts.ts'
import { ExpressionError } from './syntax.ts'

/**
 * Compares with an independent implementation of CEL, over expressions and values of all kinds: where an expression has a value here, it
 * has the same one there. It may fail here where CEL has a value, never the other way round.
 */

/** A value as JSON text, and as the oracle takes it. */
interface Given {
  readonly text: string
  readonly value: unknown
}

const toInts = (...list: string[]): readonly Given[] => list.map((text) => ({ text, value: BigInt(text) }))
const toDoubles = (...list: string[]): readonly Given[] => list.map((text) => ({ text, value: Number(text) }))
const toGiven = (...list: (string | boolean | null)[]): readonly Given[] =>
  list.map((value) => ({ text: JSON.stringify(value), value }))

const numbers: readonly Given[] = [
  ...toInts(
    '0',
    '1',
    '-1',
    '2',
    '7',
    '100',
    '9007199254740992',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
  ),
  ...toDoubles('0.0', '1.0', '1.5', '-2.5', '1e2', '0.25'),
]
const texts = toGiven('', 'a', 'b', 'ab', 'A', '1', '-7', 'ß', '😀', '__proto__', '2026-01-01T00:00:00Z', '1h')
const scalars = [...numbers, ...texts, ...toGiven(true, false, null)]
const names = ['a', 'b', 'c', 'constructor', '__proto__'] as const

function createList(items: readonly Given[]): Given {
  return { text: `[${items.map(({ text }) => text).join(',')}]`, value: items.map(({ value }) => value) }
}

function createMap(entries: readonly (readonly [string, Given])[]): Given {
  return {
    text: `{${entries.map(([name, { text }]) => `${JSON.stringify(name)}:${text}`).join(',')}}`,
    value: new Map(entries.map(([name, { value }]) => [name, value])),
  }
}

/** Arguments of any types. */
const odd = fc.letrec<{ value: Given; list: Given; map: Given }>((tie) => ({
  value: fc.oneof({ maxDepth: 2 }, { weight: 4, arbitrary: fc.constantFrom(...scalars) }, tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 3 }).map(createList),
  map: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...names), tie('value')), { selector: ([name]) => name, maxLength: 4 })
    .map((entries) => createMap(entries)),
})).map

/** Arguments of the types that the expressions expect, so that many come to a value. */
const usual = fc
  .record({
    a: fc.constantFrom(...numbers),
    b: fc.constantFrom(...texts),
    c: fc.array(fc.constantFrom(...numbers), { maxLength: 4 }).map(createList),
  })
  .map((members) => createMap(Object.entries(members)))

const given = fc.oneof({ weight: 3, arbitrary: usual }, odd)

const literals = [
  ...['0', '1', '2', '-1', '100', '9223372036854775807', '-9223372036854775808', '1.0', '1.5', '0x10'],
  ...[
    `'a'`,
    `"b"`,
    `'ab'`,
    `''`,
    `'\\u00df'`,
    `'😀'`,
    `r'\\d'`,
    `'1'`,
    'true',
    'false',
    'null',
    '[]',
    '[1, 2]',
    `['a', 'b']`,
    `{'a': 1}`,
  ],
]

type Part = fc.Arbitrary<string> | string

const some = (...of: string[]) => fc.constantFrom(...of)
const write = (...parts: Part[]) =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((written) => written.join(''))
const infix = (left: Part, between: Part, right: Part) => write('(', left, ' ', between, ' ', right, ')')
const often = (arbitrary: fc.Arbitrary<string>, weight = 4) => ({ arbitrary, weight })
const comparison = some('==', '!=', '<', '<=', '>', '>=')
const arithmetic = some('+', '-', '*', '/', '%')

const source = fc.letrec<{ value: string; truth: string; place: string; number: string; text: string }>((tie) => {
  const [value, truth, place, number, text] = [tie('value'), tie('truth'), tie('place'), tie('number'), tie('text')]
  return {
    place: fc.oneof(
      { maxDepth: 2 },
      often(some('args.a', 'args.b', 'args.c', 'args.constructor', 'args')),
      some('principal.groups', 'principal.subject', 'principal.claims.a', 'x'),
      write(place, '.', some('a', 'b', 'constructor')),
      write(place, '[', some('0', '1', '-1', `'a'`, `'__proto__'`), ']'),
    ),
    value: fc.oneof(
      { maxDepth: 3 },
      often(place),
      often(some(...literals), 2),
      infix(value, arithmetic, value),
      write('-', place),
      write(some('size', 'int', 'double', 'string', 'timestamp', 'duration'), '(', value, ')'),
      write(place, some('.size()', '.getHours()', '.filter(x, x == 1)', '.map(x, x)')),
      write('(', truth, ' ? ', value, ' : ', value, ')'),
    ),
    number: fc.oneof(
      { maxDepth: 3 },
      often(some('args.a', 'args.a', 'args.c[0]', '0', '1', '-1', '100')),
      often(infix(number, arithmetic, number), 2),
      some('1.0', '1.5', '9007199254740993', '9223372036854775807', '-9223372036854775808', 'x'),
      write(some('int', 'double'), '(', number, ')'),
      write('size(', some('args.b', 'args.c', 'principal.groups', 'args'), ')'),
    ),
    text: fc.oneof(
      { maxDepth: 2 },
      often(some('args.b', 'principal.subject', 'principal.groups[0]', 'principal.claims.a', `'a'`, `'ab'`, `''`)),
      infix(text, '+', text),
      write('string(', number, ')'),
    ),
    truth: fc.oneof(
      { maxDepth: 4 },
      often(infix(number, comparison, number), 6),
      often(infix(text, comparison, text)),
      infix(number, 'in', some('args.c', '[1, 2]', 'args.c.map(x, x)', 'args.c.filter(x, x > 1)')),
      infix(text, 'in', some('principal.groups', 'args', 'principal.claims')),
      often(write(some('args.c', 'args.c.filter(x, x != 1)'), '.', some('exists', 'all', 'exists_one'), '(x, ', truth, ')'), 2),
      write(text, '.', some('startsWith', 'endsWith', 'contains'), '(', text, ')'),
      infix(value, comparison, value),
      infix(value, 'in', value),
      often(infix(truth, some('&&', '||'), truth), 3),
      write('!', truth),
      place,
      write('has(', place, '.', some('a', 'b', 'constructor'), ')'),
      write(place, '.', some('startsWith', 'endsWith', 'contains'), '(', value, ')'),
      write(place, '.', some('exists', 'all', 'exists_one'), '(x, ', truth, ')'),
      write('(', truth, ' ? ', truth, ' : ', truth, ')'),
    ),
  }
}).truth

const oracle = celEnv({})

function tryCompile(text: string): CompiledExpression | undefined {
  try {
    return compileExpression(text, 'require')
  } catch (error) {
    if (error instanceof ExpressionError) return undefined
    throw error
  }
}

function askOracle(text: string, { principal }: ExpressionFacts, args: unknown): unknown {
  const { subject, groups, claims } = principal
  const seen = { subject, groups, claims: new Map(Object.entries(claims)) }
  return plan(oracle, parse(text))({ principal: new Map(Object.entries(seen)), args } as never)
}

/** The oracle rounds an int before it compares it with a double. */
function mixesLargeNumbers(text: string): boolean {
  return /\d{16}/.test(text) && /\d\.\d|1e2|double/.test(text)
}

const principal = { ...createFacts().principal, subject: 'a', claims: { a: 'ab' } }

it('comes to a value only where CEL does, and to the same', () => {
  let values = 0
  fc.assert(
    fc.property(source, given, (text, args) => {
      // The oracle takes a member that is null for absent; CEL does not.
      fc.pre(!(/has\(|\bin\b/.test(text) && args.text.includes('null')))
      fc.pre(!mixesLargeNumbers(text + args.text))
      const facts = createFacts({ principal: { ...principal, groups: ['a', 'b'] }, args: createArgumentReader(args.text) })
      const outcome = tryCompile(text)?.evaluate(facts, createWork()).value
      if (typeof outcome !== 'boolean') return
      values++
      expect(askOracle(text, facts, args.value), `${text} with ${args.text}`).toBe(outcome)
    }),
    { numRuns: 4000 },
  )
  expect(values).toBeGreaterThan(400)
})

it('without the arguments says nothing that some arguments would change', () => {
  const counts = { true: 0, false: 0, error: 0, unknown: 0 }
  fc.assert(
    fc.property(
      source,
      fc.array(given, { minLength: 3, maxLength: 3 }),
      fc.array(fc.constantFrom('a', 'b')),
      (text, cases, groups) => {
        const compiled = tryCompile(text)
        if (compiled === undefined) return
        const evaluate = (args: ExpressionFacts['args']) =>
          compiled.evaluate(createFacts({ principal: { ...principal, groups }, args }), createWork()).value
        const early = evaluate(undefined)
        counts[`${early}`]++
        for (const { text: args } of cases) {
          const late = evaluate(createArgumentReader(args))
          expect(late, `${text} with ${args}`).not.toBe('unknown')
          if (typeof early === 'boolean') expect(late, `${text} with ${args}`).toBe(early)
          if (early === 'error') expect(late, `${text} with ${args}`).not.toBe(true)
        }
      },
    ),
    { numRuns: 4000 },
  )
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(0)
})
