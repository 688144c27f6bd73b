import { expect, it } from 'vitest'
import { and, choose, mayHold, not, or, UNKNOWN } from './truth.ts'
import { createFailure, type Unknown, type Value } from './value.ts'

const failure = createFailure('missing')
const maybeFalse = and(UNKNOWN, failure)
const maybeTrue = or(UNKNOWN, failure)

/** Each value, and all that it may turn out to be. */
const cases: readonly (readonly [Value, readonly Value[]])[] = [
  [true, [true]],
  [false, [false]],
  [failure, [failure]],
  [UNKNOWN, [true, false, failure]],
  [maybeFalse, [false, failure]],
  [maybeTrue, [true, failure]],
]

/** What CEL says of values that are known. */
const plainAnd = (left: Value, right: Value): Value => (left === false || right === false ? false : left === true ? right : left)
const plainOr = (left: Value, right: Value): Value => (left === true || right === true ? true : left === false ? right : left)
const plainNot = (value: Value): Value => (typeof value === 'boolean' ? !value : value)

function expectAll(result: Value, possible: readonly Value[]): void {
  const results = new Set(possible.map((value) => (typeof value === 'boolean' ? value : 'failure')))
  const [only] = possible
  if (results.size === 1) expect(typeof only === 'boolean' ? result === only : result === failure).toBe(true)
  else expect(result).toMatchObject({ kind: 'unknown' })
  expect(mayHold(result)).toBe(results.has(true))
  expect(mayHold(not(result))).toBe(results.has(false))
}

it('what is not known yet is everything that it may turn out to be, and nothing else', () => {
  for (const [left, lefts] of cases) {
    expectAll(not(left), lefts.map(plainNot))
    for (const [right, rights] of cases) {
      const pairs = lefts.flatMap((one) => rights.map((other) => [one, other] as const))
      expectAll(
        and(left, right),
        pairs.map(([one, other]) => plainAnd(one, other)),
      )
      expectAll(
        or(left, right),
        pairs.map(([one, other]) => plainOr(one, other)),
      )
      for (const [condition, conditions] of cases.slice(3)) {
        const chosen = conditions.flatMap((held) => (held === true ? lefts : held === false ? rights : [failure]))
        expectAll(choose(condition as Unknown, left, right), chosen)
      }
    }
  }
})

it('a failure keeps its reason, the left one before the right one', () => {
  const other = createFailure('other')
  expect(and(failure, other)).toBe(failure)
  expect(or(failure, other)).toBe(failure)
  expect(and(true, other)).toBe(other)
  expect(or(other, false)).toBe(other)
})
