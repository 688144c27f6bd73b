import { describe, expect, it } from 'vitest'
import { allow, createFacts, evaluate, reasonOf } from '../../../test/support/expressions.ts'
import { createWork } from '../work.ts'
import { createArgumentReader } from './arguments.ts'
import { compileExpression } from './expression.ts'
import { ExpressionError } from './syntax.ts'

describe('an expression', () => {
  it.each([
    `principal.issuer == 'https://idp.example.com'`,
    `principal.subject == 'alice' && principal.client_id == 'nightly'`,
    `'read' in principal.scopes && !('write' in principal.scopes)`,
    `'support' in principal.groups`,
    `principal.groups.exists(g, g.startsWith('sup'))`,
    `principal.claims.email == 'alice@example.com'`,
    `principal.claims['https://example.com/tier'] == 2`,
    `principal.claims.address.country == 'DE'`,
    `principal.claims.email_verified`,
    `operation.method == 'tools/call' && operation.kind == 'tool' && operation.target == 'refund'`,
    `server == '/tickets' && request.path == '/tickets' && request.revision == '2025-11-25' && request.address == '192.0.2.1'`,
    `now == timestamp('2026-11-29T22:00:00Z')`,
    `now.getHours('Europe/Berlin') == 23 && now.getHours() == 22 && now.getDayOfWeek() == 0`,
    `now - timestamp(principal.claims.auth_time) < duration('15m')`,
    `args.amount <= 100 || 'finance' in principal.groups`,
    `args.note == null && args.items.all(i, i.price < 10) && args.items[0].price == 9.5`,
    `size(args.items) == 2 && args.items.size() == 2.0 && size('Größe 😀') == 7 && size(args.items[0]) == 1`,
    `args.items.filter(i, i.price > 1).map(i, i.price) == [9.5]`,
    `args.items.exists_one(i, i.price == 1)`,
    `args.path != null && null != args.path && !(args.path == null) && args.note != 'a' && !(args.note == 1)`,
    `args.items.map(i, i.price) != [9.5, 1.0] + [2.0] && args.items.map(i, i.price) != [9.5] && [9.5] != args.items.map(i, i.price)`,
    `args.items[1] == {'price': 1} && args.items[1] != {'price': 2} && args.items[1] != {'cost': 1}`,
    `args.items[1] != {'price': 1, 'cost': 1} && {'price': 1, 'cost': 1} != args.items[1] && args.items != []`,
    `timestamp('1969-12-31T23:59:59.999999999Z').getFullYear() + args.amount == 2069`,
    `args.path.glob('/srv/*') && glob(args.path, '*.md')`,
    `args.path.contains('srv') && args.path.endsWith('.md') && args.path.startsWith('/')`,
    `args.path.lowerAscii() == '/srv/notes.md'`,
    `{'eu': ['DE', 'FR'], 'us': ['US']}['eu'].exists(c, c == principal.claims.address.country)`,
    `args.exists(name, name == 'amount') && 'amount' in args && !('other' in args)`,
    `int(args.text) + 1 == 43 && double(args.text) * 1.5 == 63.0 && string(args.amount) == '100'`,
    `args.amount / 7 == 14 && args.amount % 7 == 2 && -args.amount == -100 && args.amount - 1 == 99`,
    `(args.amount > 50 ? 'large' : 'small') == 'large'`,
    `has(args.amount) && !has(args.other) && has(principal.subject) && has(principal.claims.email)`,
  ])('%s may hold', (source) => {
    expect(evaluate(source)).toEqual({ value: true })
  })

  it.each([
    `args.amount > 100`,
    `'finance' in principal.groups`,
    `principal.subject != 'alice'`,
    `!principal.claims.email_verified`,
  ])('%s may not hold', (source) => {
    expect(evaluate(source)).toEqual({ value: false })
  })

  it.each([
    [`args.other <= 100`, 'args.other is missing'],
    [`principal.claims.department == 'x'`, 'principal.claims.department is missing'],
    [`principal.claims.address.city == 'x'`, 'principal.claims.address.city is missing'],
    [`has(args.other.name)`, 'args.other is missing'],
    [`args['other'] == 1`, `args['other'] is missing`],
    [`args.items[2].price == 1`, 'args.items[2] is missing'],
    [`args.items[-1].price == 1`, 'args.items[-1] is missing'],
    [`args.amount in args`, 'args.amount in args: an int and text cannot be compared'],
    [`args.items['0'] == 1`, 'args.items is a list, so it has no such member'],
    [`args.path.name == 1`, 'args.path is text, so it has no such member'],
    [`args.amount == '100'`, `args.amount == '100': an int and text cannot be compared`],
    [`args.path <= 100`, 'args.path <= 100: text and an int cannot be compared'],
    [`'a' in args.path`, `'a' in args.path: text and text do not go with in`],
    [`args.amount`, 'args.amount is an int, and must be true or false here'],
    [`!args.amount`, 'args.amount is an int, and must be true or false here'],
    [`args.amount.startsWith('a')`, `args.amount.startsWith('a'): startsWith is not for an int and text`],
    [`args.amount.exists(x, x == 1)`, 'args.amount is an int, and exists is for lists'],
    [`args.amount + args.items[0].price == 1.0`, 'args.amount + args.items[0].price: an int and a double do not go with +'],
    [`args.amount / 0 == args.amount`, 'args.amount / 0: division by zero'],
    [`args.amount % (args.amount - 100) == 1`, 'args.amount % (args.amount - 100): division by zero'],
    [`args.amount * 9223372036854775807 > 1`, 'args.amount * 9223372036854775807: a number is out of range'],
  ])('%s fails: %s', (source, reason) => {
    expect(reasonOf(source)).toBe(reason)
  })

  it('names what a token does not have', () => {
    const principal = { ...createFacts().principal, subject: undefined, clientId: undefined }
    expect(reasonOf(`principal.subject == 'a'`, { principal })).toBe('principal.subject is missing')
    expect(reasonOf(`principal.client_id == 'a'`, { principal })).toBe('principal.client_id is missing')
    expect(evaluate('has(principal.subject) || has(principal.client_id)', { principal })).toEqual({ value: false })
  })

  it('fails where the operation has no target', () => {
    const operation = { kind: 'request', method: 'ping', targetKind: undefined, target: undefined, id: '1' } as const
    expect(reasonOf(`operation.target == 'a'`, { operation })).toBe('operation.target is missing')
    expect(evaluate('has(operation.target) || has(operation.kind)', { operation })).toEqual({ value: false })
    expect(reasonOf(`operation.method == 'a'`, { operation: undefined })).toBe('operation.method is missing')
  })

  it('holds or not as soon as one side decides, whatever the other does', () => {
    for (const source of [`args.other == 1 || args.amount == 100`, `args.amount == 100 || args.other == 1`]) allow(source)
    for (const source of [`args.other == 1 && args.amount == 1`, `args.amount == 1 && args.other == 1`]) {
      expect(evaluate(source)).toEqual({ value: false })
    }
    expect(evaluate(`args.items.exists(i, i.name == 'a' || i.price == 1)`)).toEqual({ value: true })
    expect(evaluate(`args.items.all(i, i.name == 'a' && i.price == 3)`)).toEqual({ value: false })
    expect(evaluate(`args.items.exists_one(i, i.price == 1 || i.name == 'a')`).value).toBe('error')
  })

  it('without the arguments is unknown only where they decide', () => {
    const outcome = (source: string, groups: readonly string[] = []) =>
      evaluate(source, { args: undefined, principal: { ...createFacts().principal, groups } }).value
    const refund = `args.amount <= 100 || 'finance' in principal.groups`
    expect(outcome(refund, ['finance'])).toBe(true)
    expect(outcome(refund)).toBe('unknown')
    expect(outcome(`args.amount <= 100 && 'finance' in principal.groups`)).toBe(false)
    expect(outcome(`!(args.amount <= 100)`)).toBe('unknown')
    expect(outcome(`'finance' in principal.groups ? true : args.amount < 1`, ['finance'])).toBe(true)
    expect(outcome(`args.flag ? 'a' in principal.groups : 'b' in principal.groups`)).toBe('error')
    expect(outcome(`args.flag ? 'a' in principal.groups : 'b' in principal.groups`, ['a'])).toBe('unknown')
    expect(outcome(`has(args.amount)`)).toBe('unknown')
    expect(outcome(`principal.groups.exists(g, g == args.team)`, ['x'])).toBe('unknown')
    expect(outcome(`principal.groups.exists(g, g == args.team)`)).toBe(false)
    expect(outcome(`args.items.exists(i, i.price > 1)`)).toBe('unknown')
    expect(outcome(`principal.groups.filter(g, g == args.team).size() == 1`, ['x'])).toBe('unknown')
  })

  it('that fails already cannot hold with any arguments, but its negation may', () => {
    const known = { args: undefined }
    expect(evaluate(`principal.claims.absent == 1 && args.amount == 1`, known).value).toBe('error')
    expect(evaluate(`principal.claims.absent == 1 || args.amount == 1`, known).value).toBe('unknown')
    expect(evaluate(`!(principal.claims.absent == 1 && args.amount == 1)`, known).value).toBe('unknown')
    expect(evaluate(`principal.claims.absent == args.amount`, known).value).toBe('error')
  })

  it('reads the arguments only when it comes to them, and once', () => {
    let read = 0
    const args = () => {
      read++
      return createArgumentReader('{"amount": 1}')()
    }
    expect(evaluate(`'support' in principal.groups || args.amount == 2`, { args })).toEqual({ value: true })
    expect(read).toBe(0)
    expect(evaluate(`args.amount == 2 || args.amount == 1`, { args })).toEqual({ value: true })
    expect(read).toBe(1)
  })

  it('tells what it reads', () => {
    const reads = (source: string) => {
      const { readsArguments, readsOperation, readsResourceTarget } = compileExpression(source, 'require')
      return [readsArguments, readsOperation, readsResourceTarget]
    }
    expect(reads(`'a' in principal.groups`)).toEqual([false, false, false])
    expect(reads(`has(args.a)`)).toEqual([true, false, false])
    expect(reads(`principal.groups.exists(g, g == args.team)`)).toEqual([true, false, false])
    expect(reads(`operation.method == 'a'`)).toEqual([false, true, false])
    expect(reads(`has(operation.kind)`)).toEqual([false, true, false])
    expect(reads(`operation.target == 'a'`)).toEqual([false, true, true])
  })

  it.each([
    `(now - timestamp('2026-01-01T00:00:00Z')).getHours() == 48`,
    `now.getHours() < 24 && now.getDayOfWeek() in [0, 6] && now.getMonth() != 11 && now.getDate() != 31`,
    `now.getFullYear() == 2026`,
    `duration(args.age).getHours() == 48`,
    `[now - now].exists(age, age.getHours() == 48)`,
    `request.address == server || request.address == args.address || request.address in args.addresses`,
    `request.address in ['10.0.0.1', '2001:DB8::1', '::ffff:192.0.2.1']`,
  ])('may compare with whatever there may be: %s', (source) => {
    expect(() => compileExpression(source, 'require')).not.toThrow()
  })

  it('is frozen', () => {
    expect(Object.isFrozen(compileExpression(`server == '/a'`, 'who'))).toBe(true)
  })
})

describe('at the start is refused', () => {
  it.each([
    [`principal.groups ==`, 19, /unexpected token/],
    [`'a' in groups`, 7, /there is no groups here: expressions see principal, operation, request, args, server, now/],
    [`principal.group == 'a'`, 0, /principal has no member group: there are principal.issuer, .*principal.claims/],
    [`has(principal.group)`, 4, /principal has no member group/],
    [`principal.constructor == 'a'`, 0, /principal has no member constructor/],
    [`principal == 'a'`, 0, /principal is no value by itself/],
    [`principal['subject'] == 'a'`, 0, /principal is no value by itself: write principal.issuer, principal.subject/],
    [`principal.groups == 'finance'`, 0, /no such overload: list<string> == string: the types do not fit/],
    [`principal.groups.contains('a')`, 0, /an item of a list is found with `in`/],
    [`1 in principal.groups`, 0, /the types do not fit/],
    [`'a' in principal.subject`, 0, /the types do not fit/],
    [`principal.subject == null`, 0, /the types do not fit/],
    [`now < 5`, 0, /the types do not fit/],
    [`principal.subject`, 0, /it is of type string, and must be true or false/],
    [`size(args)`, 0, /it is of type int/],
    [`args.amount && 1`, 0, /logical operator requires bool operands/],
    [`args.path.matches('a')`, 0, /matches is not available.*write glob/],
    [`matches(args.path, 'a')`, 0, /matches is not available.*write glob/],
    [`args.path.glob(args.pattern)`, 15, /the pattern of glob must be a text in quotes/],
    [`args.path.upperAscii() == 'A'`, 0, /the function upperAscii is not available; there are has, glob/],
    [`type(args.a) == int`, 0, /the function type is not available/],
    [`bytes(args.a) == b'a'`, 0, /the function bytes is not available/],
    [`args.a == b'a'`, 10, /texts with b are not available/],
    [`args.a == 1u`, 10, /numbers with u/],
    [`cel.bind(x, args.a, x == 1)`, 0, /the function bind is not available/],
    [`args.items.map(i, i > 1, i) == []`, 0, /the function map is not available/],
    [`args.a == 9223372036854775808`, 10, /no int of 64 bits/],
    [`args.a == -9223372036854775809`, 10, /no int of 64 bits/],
    [`args.a in [1, 2.5]`, 14, /write all items of a list in one type/],
    [`args.items.exists(args, true)`, 18, /args is taken/],
    [`args.items.exists(i, i.exists(i, i == 1))`, 30, /i is taken/],
    [`args.items.exists('i', true)`, 18, /is the name of an item|unexpected|invalid/],
    [`has(args)`, 0, /has\(\) asks for a member/],
    [`has(args['a'])`, 0, /has\(\) asks for a member.*in args/],
    [`'/finance' in principal.groups`, 0, /groups have no leading slash here: write 'finance'/],
    [`args.amount < '100'`, 14, /"100" is a text, and texts are ordered letter by letter: write the number without quotes/],
    [`'-9.5' >= args.amount`, 0, /"-9.5" is a text/],
    [`args.a == 1 and args.b == 2`, 12, /unexpected character.*write && for and, \|\| for or, ! for not, == for equal/],
    [`principal.claims.cognito:groups == 'a'`, 24, /claims\["a:b"\] is a member of that name/],
    [`operation.kind == 'tols'`, 18, /operation.kind is "tool", "prompt" or "resource"/],
    [`'request' != operation.kind`, 0, /operation.kind is/],
    [`now.getDayOfWeek() != 7`, 22, /getDayOfWeek is 0 \(Sunday\) to 6/],
    [`!(now.getDayOfWeek('Europe/Berlin') in [6, 7])`, 43, /getDayOfWeek is 0 \(Sunday\) to 6/],
    [`12 == now.getMonth()`, 0, /getMonth is 0 \(January\) to 11/],
    [`now.getDate() == 0`, 17, /getDate is 1 to 31/],
    [`now.getDayOfMonth() == 31`, 23, /getDayOfMonth is 0 to 30/],
    [`timestamp('2026-01-01T00:00:00Z').getHours() != 24 || now.getHours() == 24`, 48, /getHours is 0 to 23/],
    [`now.getDayOfWeek() != 7.0`, 22, /getDayOfWeek is 0 \(Sunday\) to 6/],
    [`now.getSeconds() == 60`, 20, /getSeconds is 0 to 59/],
    [`now.getMinutes() == 60`, 20, /getMinutes is 0 to 59/],
    [`request.address == '10.0.0.0/8'`, 19, /request.address is one address/],
    [`!(request.address in ['10.0.0.1', '10.0.*'])`, 34, /request.address is one address/],
    [`duration('1h') + now < now`, 0, /write the timestamp first/],
    [`true`, 0, /it holds for every call/],
    [`1 > 2`, 0, /it can never hold/],
    [`true || args.a == 1`, 0, /it holds for every call/],
    [`args.a == 1 && false`, 0, /it can never hold/],
    [`!(args.a == 1 || true)`, 0, /it can never hold/],
    [`args.a / 0 == 1 / 0`, 14, /1 \/ 0 always fails: division by zero|always fails/],
    [`now < timestamp('tomorrow')`, 6, /always fails.*no timestamp of RFC 3339/],
    [`now - now < duration('1 day')`, 12, /always fails.*no duration/],
    [`now.getHours('Berlin') == 1`, 13, /is no time zone/],
    [`now.getHours(args.zone) == 1`, 13, /is no time zone/],
    [`{'a': 1, 'a': 2}[args.x] == 1`, 9, /is there twice/],
    [`{1: 1}[args.x] == 1`, 1, /keys of a map must be texts/],
    [`args.?a == 1`, 5, /./],
    [`args.a = 1`, 7, /unexpected character/],
    [``, 0, /unexpected token/],
    [`args.for == 1 && for == 2`, 17, /reserved identifier/],
  ])('%s, at %d', (source, offset, message) => {
    expect(() => compileExpression(source, 'require')).toThrow(ExpressionError)
    expect(() => compileExpression(source, 'require')).toThrow(message)
    expect(() => compileExpression(source, 'require')).toThrow(expect.objectContaining({ offset }))
  })

  it.each([
    ['args.amount == 1', 'args'],
    [`has(args.amount)`, 'args'],
    [`operation.method == 'a'`, 'operation'],
    [`has(operation.target)`, 'operation'],
  ])('%s in `who`, which sees no such thing', (source, name) => {
    expect(() => compileExpression(source, 'who')).toThrow(`\`who\` does not see ${name}`)
  })
})

it('a wrong expression does not disturb the next one', () => {
  expect(() => compileExpression(`args.items.exists(i, `, 'require')).toThrow(ExpressionError)
  expect(compileExpression(`args.items.exists(i, i.price == 1)`, 'require').evaluate(createFacts(), createWork())).toEqual({
    value: true,
  })
})
