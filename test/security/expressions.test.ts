import { describe, expect, it } from 'vitest'
import { createArgumentReader, parseArguments } from '../../src/policy/expression/arguments.ts'
import { compileExpression } from '../../src/policy/expression/expression.ts'
import { ExpressionError } from '../../src/policy/expression/syntax.ts'
import { createWork, MAX_WORK } from '../../src/policy/work.ts'
import { createFacts, evaluate, evaluateWith, reasonOf } from '../support/expressions.ts'

const inherited = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  'length',
  'size',
]

describe('names that every object inherits', () => {
  it.each(inherited)('%s is no argument and no claim unless it was sent', (name) => {
    for (const owner of ['args', 'principal.claims', 'args.inner', 'principal.claims.inner']) {
      const facts = {
        args: createArgumentReader('{"inner": {}}'),
        principal: { ...createFacts().principal, claims: JSON.parse('{"inner": {}}') },
      }
      expect(evaluate(`'${name}' in ${owner}`, facts)).toEqual({ value: false })
      expect(reasonOf(`${owner}['${name}'] == 1`, facts)).toBe(`${owner}['${name}'] is missing`)
    }
  })

  it.each(inherited.filter((name) => !['__proto__', 'prototype'].includes(name)))('has() does not find %s', (name) => {
    expect(evaluateWith(`has(args.${name}) || has(principal.claims.${name})`, '{}')).toEqual({ value: false })
  })

  it.each(inherited)('%s is data where it was sent', (name) => {
    const text = `{"${name}": "a"}`
    const principal = { ...createFacts().principal, claims: JSON.parse(text) }
    expect(evaluateWith(`args['${name}'] == 'a' && '${name}' in args && size(args) == 1`, text)).toEqual({ value: true })
    expect(evaluate(`principal.claims['${name}'] == 'a' && size(principal.claims) == 1`, { principal })).toEqual({ value: true })
  })

  it.each([
    'principal.constructor',
    'principal.__proto__',
    'operation.toString',
    'request.valueOf',
    'constructor',
    'toString',
    '__proto__',
  ])('%s is no name', (name) => {
    expect(() => compileExpression(`${name} == 'a'`, 'require')).toThrow(ExpressionError)
  })

  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__lookupGetter__', 'eval', 'call', 'apply'])(
    '%s() is no function',
    (name) => {
      expect(() => compileExpression(`args.a.${name}() == 1`, 'require')).toThrow(/not available/)
      expect(() => compileExpression(`${name}(args.a) == 1`, 'require')).toThrow(/not available/)
      expect(() => compileExpression(`args.a.${name}(x, x == 1)`, 'require')).toThrow(ExpressionError)
    },
  )
})

describe('numbers', () => {
  it.each([
    ['9007199254740993', 'args.n == 9007199254740993 && args.n != 9007199254740992 && args.n != 9007199254740992.0'],
    ['9007199254740992', 'args.n == 9007199254740992.0 && args.n < 9007199254740993'],
    ['9007199254740993', 'args.n > 9007199254740992.0 && 9007199254740992.0 < args.n'],
    ['9007199254740993', '!(args.n in [9007199254740992]) && !([9007199254740992.0].exists(n, n == args.n))'],
    ['1', 'args.n == 1.0 && 1.0 == args.n && args.n in [1.0].map(n, n)'],
    ['1.0', 'args.n == 1 && args.n <= 1 && args.n >= 1'],
    ['1e2', 'args.n == 100 && 100 == args.n'],
    ['-0', 'args.n == 0'],
    ['-0.0', 'args.n == 0 && !(args.n < 0)'],
    ['9223372036854775807', 'args.n == 9223372036854775807 && args.n < 9223372036854775807.0'],
    ['-9223372036854775808', 'args.n == -9223372036854775808 && args.n == -9223372036854775808.0'],
  ])('%s: %s', (number, source) => {
    expect(evaluateWith(source, `{"n": ${number}}`)).toEqual({ value: true })
  })

  it.each(['9223372036854775808', '-9223372036854775809', '1e999', '-1e999', '1'.repeat(5000), `1${'0'.repeat(100_000)}.0`])(
    'what is out of range makes an error of whatever looks at it: %.20s',
    (number) => {
      const args = `{"n": ${number}, "list": [1, ${number}]}`
      for (const source of [
        'args.n <= 100',
        'args.n > 100',
        'args.n != 1',
        '!(args.n == 1)',
        'args.n == args.n',
        '5 in args.list',
      ]) {
        expect(evaluateWith(source, args), source).toMatchObject({
          value: 'error',
          reason: expect.stringContaining('out of range'),
        })
      }
      expect(evaluateWith('1 in args.list && has(args.n)', args)).toEqual({ value: true })
    },
  )

  it.each([
    ['args.n + 1 > 0', '9223372036854775807'],
    ['args.n - 1 < 0', '-9223372036854775808'],
    ['args.n * 2 > 0', '4611686018427387904'],
    ['-args.n > 0', '-9223372036854775808'],
    ['args.n / -1 > 0', '-9223372036854775808'],
    ['args.n * 10.0 > 0.0', '1.7e308'],
    ['int(args.n) > 0', '9223372036854775808.0'],
    ['int(args.n) > 0', '"9223372036854775808"'],
    ['double(args.n) > 0.0', '"1e999"'],
  ])('%s overflows for %s, and does not wrap around', (source, number) => {
    expect(evaluateWith(source, `{"n": ${number}}`)).toMatchObject({
      value: 'error',
      reason: expect.stringContaining('out of range'),
    })
  })

  it.each(['0', '0.0'])('division by %s is an error', (zero) => {
    const args = `{"n": ${zero}, "one": ${zero.replace('0', '1')}}`
    expect(evaluateWith('args.one / args.n > args.one', args)).toMatchObject({ reason: 'args.one / args.n: division by zero' })
  })

  it('a claim that JSON.parse may have rounded is an error', () => {
    const principal = {
      ...createFacts().principal,
      claims: JSON.parse('{"id": 9007199254740993, "small": 7, "half": 0.5, "large": 1e300}'),
    }
    expect(reasonOf('principal.claims.id == 9007199254740992', { principal })).toBe(
      'principal.claims.id: a number is out of range',
    )
    expect(reasonOf('principal.claims.large > 1.0', { principal })).toBe('principal.claims.large: a number is out of range')
    expect(evaluate('principal.claims.small + 1 == 8 && principal.claims.half == 0.5', { principal })).toEqual({ value: true })
  })

  it.each(['"0x10"', '" 1"', '"1 "', '"+1"', '"1_000"', '"1n"', '""', '"١"', '"1.0"', '"Infinity"'])(
    'int() takes %s for no number',
    (text) => {
      expect(evaluateWith('int(args.n) >= 0', `{"n": ${text}}`)).toMatchObject({ value: 'error' })
    },
  )

  it.each(['"0x10"', '" 1"', '"Infinity"', '"-inf"', '"NaN"', '"1e"', '""', '"1."', '".5"'])(
    'double() takes %s for no number',
    (text) => {
      expect(evaluateWith('double(args.n) >= 0.0', `{"n": ${text}}`)).toMatchObject({ value: 'error' })
    },
  )
})

describe('values of another type than the rule expects', () => {
  it.each([
    ['args.role != "admin"', '{"role": ["admin"]}'],
    ['args.role != "admin"', '{"role": {"0": "admin"}}'],
    ['!(args.role == "admin")', '{"role": 1}'],
    ['args.amount <= 100', '{"amount": "5"}'],
    ['args.amount <= 100', '{"amount": null}'],
    ['args.amount <= 100', '{"amount": [5]}'],
    ['args.amount <= 100', '{"amount": true}'],
    ['!("admin" in args.roles)', '{"roles": "administrators"}'],
    ['!("admin" in args.roles)', '{"roles": [["admin"]]}'],
    ['!args.path.startsWith("/etc")', '{"path": ["/etc/passwd"]}'],
    ['args.items.all(i, i < 5)', '{"items": [1, "9"]}'],
    ['args.items.all(i, i < 5)', '{"items": "abc"}'],
    ['args.confirmed', '{"confirmed": "true"}'],
    ['args.confirmed || args.confirmed', '{"confirmed": 1}'],
    ['size(args.items) < 5', '{"items": 3}'],
  ])('%s fails for %s', (source, args) => {
    expect(evaluateWith(source, args).value).toBe('error')
  })

  it('a claim that is one text has no members, and is in no list', () => {
    const principal = {
      ...createFacts().principal,
      claims: { groups: 'administrators', roles: ['admin', 7], deep: { a: ['x'] } },
    }
    expect(evaluate(`'admin' in principal.claims.groups`, { principal }).value).toBe('error')
    expect(evaluate(`'admin' in principal.claims.roles`, { principal })).toEqual({ value: true })
    expect(evaluate(`!('user' in principal.claims.roles)`, { principal }).value).toBe('error')
    expect(evaluate(`principal.claims.deep.a == ['x']`, { principal })).toEqual({ value: true })
  })

  it('arguments that are no object fail', () => {
    for (const text of ['[1]', '1', 'null', '"a"']) expect(evaluateWith('has(args.a)', text).value).toBe('error')
    expect(evaluate('has(args.a)', { args: createArgumentReader(undefined) })).toEqual({ value: false })
  })

  it('arguments that decoders read differently are not read', () => {
    for (const text of ['{"a": 1, "a": 2}', '{"a": 1', '{"a": "\\ud800"}']) expect(() => parseArguments(text)).toThrow()
  })
})

describe('texts', () => {
  it('are data: what stands in them is never an expression', () => {
    const text = `' || true || '`
    const principal = { ...createFacts().principal, claims: { text } }
    expect(evaluate(`principal.claims.text == 'a'`, { principal })).toEqual({ value: false })
    expect(evaluateWith(`args.a == 'a' || args.a.glob('a*')`, JSON.stringify({ a: text }))).toEqual({ value: false })
  })

  it('are compared as they are, without regard to what looks alike', () => {
    for (const [one, other] of [
      ['é', 'e\u0301'],
      ['K', '\u212a'],
      ['ß', 'ss'],
      ['ı', 'i'],
      ['a', 'а'],
      ['a', 'a\u200b'],
      ['a', 'A'],
    ]) {
      expect(evaluateWith(`args.a == args.b || args.a.lowerAscii() == args.b`, JSON.stringify({ a: one, b: other }))).toEqual({
        value: false,
      })
    }
  })

  it('of a reason never hold a value', () => {
    const secret = 'hunter2'
    const sources = [
      'args.s <= 1',
      'int(args.s) == 1',
      'args.s.x == 1',
      'args.s',
      'timestamp(args.s) < now',
      'args[args.s] == 1',
      'args.s.all(c, true)',
      'principal.claims[principal.claims.s] == 1',
      '-args.s == 1',
      'args.s / 2 == 1',
    ]
    const principal = { ...createFacts().principal, claims: { s: secret } }
    for (const source of sources) {
      const reason = reasonOf(source, { args: createArgumentReader(`{"s": "${secret}"}`), principal })
      expect(reason, source).toBeDefined()
      expect(reason).not.toContain(secret)
    }
  })
})

describe('expressions that are too much', () => {
  it.each([
    ['!', '!'.repeat(4000)],
    ['-', `${'-'.repeat(4000)}1 == 1`],
    ['40 times (', `${'('.repeat(40)}args.a == 1${')'.repeat(40)}`],
    ['(', `${'('.repeat(2000)}args.a${')'.repeat(2000)}`],
    ['[', `${'['.repeat(2000)}1${']'.repeat(2000)} == args.a`],
    ['.a', `args${'.a'.repeat(2000)} == 1`],
    ['[0]', `args${'[0]'.repeat(1300)} == 1`],
    ['&&', `args.a${' && args.a'.repeat(400)}`],
    ['? :', `${'args.a ? '.repeat(300)}true${' : false'.repeat(300)}`],
    ['size()', `args.a${'.size()'.repeat(500)} == 1`],
    ['more characters than a rule has', `args.a == '${'a'.repeat(5000)}'`],
    ['half a character', `args.a == '\ud800'`],
  ])('are refused with a sentence: %s', (_, source) => {
    expect(() => compileExpression(source, 'require')).toThrow(ExpressionError)
  })

  it('that are merely long are none', () => {
    expect(evaluateWith(`args.a == 1${' || args.a == 2'.repeat(60)}`, '{"a": 2}')).toEqual({ value: true })
    expect(evaluateWith(`args.a == '-------------!!!!!!!!!!!!!'`, '{"a": "-------------!!!!!!!!!!!!!"}')).toEqual({ value: true })
  })
})

/** What an evaluation costs, in steps of the budget. */
function countSteps(source: string, args: string): number {
  const work = createWork()
  compileExpression(source, 'require').evaluate(createFacts({ args: createArgumentReader(args) }), work)
  return MAX_WORK - work.left
}

const list = (size: number, item: (index: number) => unknown) =>
  JSON.stringify(Array.from({ length: size }, (_, index) => item(index)))

describe('the work of an evaluation', () => {
  it.each<[string, (size: number) => string]>([
    ['args.list.all(x, x >= 0)', (size) => `{"list": ${list(size, (index) => index)}}`],
    ['args.list.exists(x, x.a == "b")', (size) => `{"list": ${list(size, () => ({ a: 'a' }))}}`],
    ['args.list.filter(x, x > 1).map(x, x + 1).all(x, x > 1)', (size) => `{"list": ${list(size, (index) => index)}}`],
    ['-1 in args.list', (size) => `{"list": ${list(size, (index) => index)}}`],
    [
      'args.exists(name, name == "b")',
      (size) => JSON.stringify(Object.fromEntries(Array.from({ length: size }, (_, i) => [`a${i}`, 1]))),
    ],
    ['args.text.contains("aaaaaaaaaaaaaaaaaaaaaaaaab")', (size) => `{"text": "${'a'.repeat(size * 4)}"}`],
    ['args.text.contains(args.needle)', (size) => `{"text": "${'a'.repeat(size * 4)}", "needle": "${'a'.repeat(size)}b"}`],
    ['args.text.glob("*a*a*a*a*a*b")', (size) => `{"text": "${'a'.repeat(size * 4)}"}`],
    ['args.text + args.text == args.text', (size) => `{"text": "${'a'.repeat(size)}"}`],
    ['args.list == args.other', (size) => `{"list": ${list(size, () => 'a')}, "other": ${list(size, () => 'a')}}`],
    ['args.list + args.list == args.list', (size) => `{"list": ${list(size, () => 'a')}}`],
    ['size(args.text) > 1 && args.text.lowerAscii() < args.text', (size) => `{"text": "${'a'.repeat(size)}"}`],
  ])('of %s grows with the arguments, not with their square', (source, args) => {
    const [small, large] = [countSteps(source, args(500)), countSteps(source, args(5000))]
    expect(large).toBeGreaterThan(small * 5)
    expect(large).toBeLessThan(small * 11)
  })

  it.each([
    [
      'args.list.all(x, args.list.all(y, args.list.all(z, x <= 0 || y <= 0 || z <= 0 || true)))',
      `{"list": ${list(3000, (index) => index)}}`,
    ],
    ['args.list.all(x, args.list.exists(y, y == "b") || true)', `{"list": ${list(3000, () => 'a')}}`],
    [
      'args.list.all(x, !(x in args.other))',
      `{"list": ${list(3000, (index) => index)}, "other": ${list(3000, (index) => -1 - index)}}`,
    ],
    ['args.list.all(x, !args.text.contains(x))', `{"list": ${list(3000, () => 'b')}, "text": "${'a'.repeat(100_000)}"}`],
    ['args.list.all(x, args.text + x != args.text)', `{"list": ${list(3000, () => 'b')}, "text": "${'a'.repeat(100_000)}"}`],
    ['args.list.all(x, size(args.text) > 1)', `{"list": ${list(3000, () => 'b')}, "text": "${'a'.repeat(100_000)}"}`],
    [
      'args.list.all(x, args.other.exists(name, true))',
      `{"list": ${list(3000, () => 1)}, "other": {${list(3000, (i) => `k${i}`)
        .slice(1, -1)
        .replaceAll(',', ':1,')}:1}}`,
    ],
    [
      'args.list.all(x, args.other == args.list || true)',
      `{"list": ${list(3000, () => 'a')}, "other": ${list(3000, () => 'a')}}`,
    ],
    ['args.list.all(x, size(args.list + args.list) > 0)', `{"list": ${list(3000, () => 1)}}`],
    ['args.list.all(x, x == args.text)', `{"list": ${list(2500, () => 'a'.repeat(2000))}, "text": "${'a'.repeat(2000)}"}`],
    ['args.list.all(x, double(args.text) < 1.0 || true)', `{"list": ${list(3000, () => 1)}, "text": "${'0'.repeat(100_000)}"}`],
    ['args.list.all(x, !args.list.exists(y, x.a + y.a == 1))', `{"list": ${list(3000, (index) => ({ a: index + 1 }))}}`],
  ])('of %s ends with an error when the budget is used up', (source, args) => {
    const work = createWork()
    const outcome = compileExpression(source, 'require').evaluate(createFacts({ args: createArgumentReader(args) }), work)
    expect(outcome).toEqual({ value: 'error', reason: 'there is too much to look at' })
    expect(work.left).toBeGreaterThan(-MAX_WORK / 4)
  })

  it('is shared: what one expression has used up, the next one does not have', () => {
    const work = { left: 10 }
    expect(compileExpression('has(args.a)', 'require').evaluate(createFacts(), work)).toEqual({
      value: 'error',
      reason: 'there is too much to look at',
    })
  })

  it('counts what is scanned when it is looked into, once', () => {
    const inner = (size: number) => `{"inner": {"a": 1, "text": "${'a'.repeat(size)}"}}`
    const scanned = (source: string) => countSteps(source, inner(40_000)) - countSteps(source, inner(0))
    expect(scanned('args.inner.a == 1')).toBe(10_000)
    expect(scanned('args.inner.a == 1 && args.inner.a != 2')).toBe(10_000)
  })

  it.each([
    'size(principal.claims.map) == 1',
    'principal.claims.map.exists(name, true)',
    'principal.claims.map == principal.claims.map',
  ])('counts the names of a map: %s', (source) => {
    const count = (size: number) => {
      const map = Object.fromEntries(Array.from({ length: size }, (_, index) => [`a${index}`, index]))
      const work = createWork()
      compileExpression(source, 'who').evaluate(createFacts({ principal: { ...createFacts().principal, claims: { map } } }), work)
      return MAX_WORK - work.left
    }
    expect(count(1010) - count(10)).toBeGreaterThanOrEqual(1000)
  })

  it('counts the names of maps that differ in the first', () => {
    const count = (size: number) => {
      const names = Array.from({ length: size }, (_, index) => `a${index}`)
      const map = (first: number) => JSON.stringify(Object.fromEntries(names.map((name, index) => [name, index || first])))
      const text = `{"one": ${map(1)}, "other": ${map(2)}}`
      // The text of both is scanned, and the names of both are compared with the one that is looked for.
      return countSteps('args.one == args.other', text) - 2 * (Math.ceil(map(1).length / 4) + names.join('').length)
    }
    expect(count(1010) - count(10)).toBe(1000)
  })

  it('counts the names of a map once, however many of them are looked for', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `name${index}`)
    const map = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))
    expect(evaluateWith('args.one == args.other', `{"one": ${map}, "other": ${map}}`)).toEqual({ value: true })
  })

  it('does not depend on what is not looked at', () => {
    const source = 'args.amount <= 100'
    expect(countSteps(source, `{"amount": 1, "rest": ${list(10_000, (index) => ({ index }))}}`)).toBe(
      countSteps(source, '{"amount": 1, "rest": []}'),
    )
  })

  it('leaves lists alone that have more items than it keeps in memory', () => {
    const args = `{"list": [${'1,'.repeat(100_000)}1], "amount": 1}`
    expect(reasonOf('args.list.exists(x, x == 2)', { args: createArgumentReader(args) })).toBe(
      'args.list: a list has more than 100000 items',
    )
    expect(evaluateWith('args.amount == 1', args)).toEqual({ value: true })
  })
})
