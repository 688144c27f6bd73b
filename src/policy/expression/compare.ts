import { spend, type Work } from '../work.ts'
import { compareText } from './text.ts'
import { and, not, or } from './truth.ts'
import {
  createFailure,
  type Dictionary,
  describeType,
  isDictionary,
  isKnown,
  isList,
  type Known,
  type List,
  type Value,
} from './value.ts'

/** What comparing two values costs besides their characters. */
const STEP = 8

/**
 * Equality, stricter than CEL's: there, values of different types are unequal, so that `args.role != 'admin'` holds for `["admin"]`. Here
 * they cannot be compared, and the expression fails. Everything can be compared with null. Ints and doubles are compared as numbers.
 */
function equal(left: Known, right: Known, work: Work): Value {
  spend(work, STEP)
  if (typeof left === 'string' && typeof right === 'string') return equalTexts(left, right, work)
  if (isNumber(left) && isNumber(right)) return typeof left === typeof right ? left === right : left <= right && left >= right
  if (left === null || right === null) return left === right
  if (typeof left === 'boolean' && typeof right === 'boolean') return left === right
  if (isList(left) && isList(right)) return equalLists(left, right, work)
  if (isDictionary(left) && isDictionary(right)) return equalDictionaries(left, right, work)
  return equalTimes(left, right) ?? incomparable(left, right)
}

function equalTexts(left: string, right: string, work: Work): boolean {
  if (left.length === right.length) spend(work, left.length)
  return left === right
}

function isNumber(value: Known): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number'
}

function equalLists(left: List, right: List, work: Work): Value {
  if (left.length !== right.length) return false
  let result: Value = true
  for (let at = 0; at < left.length && work.left >= 0; at++) {
    result = and(result, equalValues(left.at(at, work), right.at(at, work), work))
    if (result === false) return false
  }
  return result
}

function equalDictionaries(left: Dictionary, right: Dictionary, work: Work): Value {
  if (left.size !== right.size) return false
  spend(work, left.size)
  let result: Value = true
  for (const name of left.names()) {
    if (work.left < 0) break
    spend(work, name.length)
    const [one, other] = [left.get(name, work), right.get(name, work)]
    if (one === undefined || other === undefined) return false
    result = and(result, equalValues(one, other, work))
    if (result === false) return false
  }
  return result
}

function equalValues(left: Value, right: Value, work: Work): Value {
  if (!isKnown(left)) return left
  return isKnown(right) ? equal(left, right, work) : right
}

function equalTimes(left: Known, right: Known): boolean | undefined {
  const moments = readMoments(left, right)
  return moments && moments[0] === moments[1]
}

/** Of two timestamps, or two durations. */
function readMoments(left: Known, right: Known): readonly [bigint, bigint] | undefined {
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return undefined
  if (left.kind === 'timestamp' && right.kind === 'timestamp') return [left.nanoseconds, right.nanoseconds]
  if (left.kind === 'duration' && right.kind === 'duration') return [left.nanoseconds, right.nanoseconds]
  return undefined
}

function incomparable(left: Known, right: Known): Value {
  return createFailure(`${describeType(left)} and ${describeType(right)} cannot be compared`)
}

const orders: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

/** Compares two values. @param operator - `==`, `!=`, `<`, `<=`, `>` or `>=` */
export function compare(operator: string, left: Known, right: Known, work: Work): Value {
  if (operator === '==') return equal(left, right, work)
  if (operator === '!=') return not(equal(left, right, work))
  const order = findOrder(left, right, work)
  return order === undefined ? incomparable(left, right) : (orders[operator]?.(order) ?? incomparable(left, right))
}

/** JavaScript compares bigint and number as mathematics does: nothing is rounded. */
function findOrder(left: Known, right: Known, work: Work): number | undefined {
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0
  if (typeof left === 'string' && typeof right === 'string') {
    spend(work, Math.min(left.length, right.length))
    return compareText(left, right)
  }
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right)
  const moments = readMoments(left, right)
  return moments && (moments[0] < moments[1] ? -1 : moments[0] > moments[1] ? 1 : 0)
}

/** `item in container`: of a list one item equals it, of a map it is a name. Undefined where the container is neither. */
export function isIn(item: Known, container: Known, work: Work): Value | undefined {
  if (isList(container)) return isInList(item, container, work)
  if (!isDictionary(container)) return undefined
  return typeof item === 'string' ? container.has(item, work) : incomparable(item, '')
}

function isInList(item: Known, list: List, work: Work): Value {
  let result: Value = false
  for (let at = 0; at < list.length && work.left >= 0; at++) {
    const other = list.at(at, work)
    result = or(result, isKnown(other) ? equal(item, other, work) : other)
    if (result === true) return true
  }
  return result
}
