import { createFailure, describeType, isFailure, isKnown, type Unknown, type Value } from './value.ts'

/**
 * Logic where a part may fail, or is not known yet. A result is a set of what may come out, a bit each. Conjunction and disjunction are
 * CEL's: they hold or not as soon as one side decides, also where the other failed. What is not known yet may turn out to be anything, an
 * error too. CEL would call `error && unknown` unknown; here it is known that it cannot hold.
 */
const HOLDS = 1
const HOLDS_NOT = 2
const FAILS = 4

const unknowns: readonly Unknown[] = Array.from({ length: 8 }, (_, results) => Object.freeze({ kind: 'unknown', results }))

/** May turn out to be anything. */
export const UNKNOWN: Unknown = unknowns[HOLDS | HOLDS_NOT | FAILS] as Unknown

const NO_RESULT = createFailure('there is no result')

/** Whether a result may still be true. */
export function mayHold(value: Value): boolean {
  return (toResults(value) & HOLDS) !== 0
}

/** Takes true and false, and makes a failure of what is neither. */
export function toTruth(value: Value, text: string): Value {
  if (typeof value === 'boolean' || !isKnown(value)) return value
  return createFailure(`${text} is ${describeType(value)}, and must be true or false here`)
}

export function not(value: Value): Value {
  return typeof value === 'boolean' ? !value : fromResults(swap(toResults(value)), value, value)
}

/** Both are truths (`toTruth`). */
export function and(left: Value, right: Value): Value {
  if (left === true) return right
  if (left === false || right === false) return false
  return fromResults(conjoin(toResults(left), toResults(right)), left, right)
}

/** Both are truths (`toTruth`). */
export function or(left: Value, right: Value): Value {
  if (left === false) return right
  if (left === true || right === true) return true
  return fromResults(swap(conjoin(swap(toResults(left)), swap(toResults(right)))), left, right)
}

/** What `condition ? one : other` may be while the condition is not known. */
export function choose(condition: Unknown, one: Value, other: Value): Value {
  const ofOne = condition.results & HOLDS ? toResults(one) : 0
  const ofOther = condition.results & HOLDS_NOT ? toResults(other) : 0
  return fromResults(ofOne | ofOther | (condition.results & FAILS), one, other)
}

function conjoin(left: number, right: number): number {
  const both = left & right
  const failing = ((left & FAILS) !== 0 && (right & (HOLDS | FAILS)) !== 0) || ((right & FAILS) !== 0 && (left & HOLDS) !== 0)
  return (both & HOLDS) | ((left | right) & HOLDS_NOT) | (failing ? FAILS : 0)
}

/** Negation: exchanges true and false. */
function swap(results: number): number {
  return (results & FAILS) | (results & HOLDS ? HOLDS_NOT : 0) | (results & HOLDS_NOT ? HOLDS : 0)
}

function toResults(value: Value): number {
  if (typeof value === 'boolean') return value ? HOLDS : HOLDS_NOT
  if (isKnown(value)) return UNKNOWN.results
  return value.kind === 'failure' ? FAILS : value.results
}

function fromResults(results: number, left: Value, right: Value): Value {
  if (results === HOLDS) return true
  if (results === HOLDS_NOT) return false
  if (results === FAILS) return [left, right].find(isFailure) ?? NO_RESULT
  return unknowns[results] ?? UNKNOWN
}
