import { createFailure, type Failure, type Value } from './value.ts'

const MIN_INT = -(2n ** 63n)
export const MAX_INT = 2n ** 63n - 1n

/** More digits than any int of 64 bits has: such texts are not even converted, which would take the square of their length. */
const MAX_INT_TEXT = 20

/** What is not an int of 64 bits fails: another language would wrap it around, or round it. */
export function checkInt(value: bigint): Value {
  return value >= MIN_INT && value <= MAX_INT ? value : OVERFLOW
}

/** Infinity and "not a number" fail, so that no comparison meets them. */
export function checkDouble(value: number): Value {
  return Number.isFinite(value) ? value : OVERFLOW
}

const OVERFLOW: Failure = Object.freeze(createFailure('a number is out of range'))
const BY_ZERO: Failure = Object.freeze(createFailure('division by zero'))

/** A JSON number: without point and exponent an int, otherwise a double. */
export function parseNumber(text: string): Value {
  return /[.eE]/.test(text) ? checkDouble(Number(text)) : parseInteger(text)
}

/** So many characters are a number that a double holds exactly, which is converted in less time. */
const MAX_SAFE_TEXT = 15

/** @param text - digits, perhaps behind a minus */
export function parseInteger(text: string): Value {
  if (text.length <= MAX_SAFE_TEXT) return BigInt(Number(text))
  return text.length > MAX_INT_TEXT ? OVERFLOW : checkInt(BigInt(text))
}

/** A number that JSON.parse made: what may have been rounded fails, since it may stand for another one. */
export function readNumber(value: number): Value {
  if (Number.isSafeInteger(value)) return BigInt(value)
  return Number.isInteger(value) ? OVERFLOW : checkDouble(value)
}

/** `int()` of a double: towards zero. */
export function truncate(value: number): Value {
  return Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : OVERFLOW
}

type Compute<T> = (left: T, right: T) => Value

const ofInts: Readonly<Record<string, Compute<bigint>>> = {
  '+': (left, right) => checkInt(left + right),
  '-': (left, right) => checkInt(left - right),
  '*': (left, right) => checkInt(left * right),
  '/': (left, right) => (right === 0n ? BY_ZERO : checkInt(left / right)),
  '%': (left, right) => (right === 0n ? BY_ZERO : left % right),
}

const ofDoubles: Readonly<Record<string, Compute<number>>> = {
  '+': (left, right) => checkDouble(left + right),
  '-': (left, right) => checkDouble(left - right),
  '*': (left, right) => checkDouble(left * right),
  '/': (left, right) => (right === 0 ? BY_ZERO : checkDouble(left / right)),
}

/** Computes with two ints or two doubles. Undefined for everything else: CEL mixes them in comparisons alone. */
export function calculate(operator: string, left: Value, right: Value): Value | undefined {
  if (typeof left === 'bigint' && typeof right === 'bigint') return ofInts[operator]?.(left, right)
  if (typeof left === 'number' && typeof right === 'number') return ofDoubles[operator]?.(left, right)
  return undefined
}
