import type { Work } from '../work.ts'

/**
 * What an expression computes with. Numbers are as in CEL: an int of 64 bits is a `bigint`, a double a `number`. An error is a value, not
 * an exception: `a || b` may hold although `a` failed.
 */
export type Value = Known | Failure | Unknown

/** A value in the proper sense. */
export type Known = string | bigint | number | boolean | null | List | Dictionary | Timestamp | Duration

/** A list; its items are made when they are looked at. */
export interface List {
  readonly kind: 'list'
  readonly length: number
  /** @param index - from 0 up to `length`; @param work - what making the item may cost */
  at(index: number, work: Work): Value
}

/** A map from texts; its values are made when they are looked at. Nothing is inherited: `constructor` is absent unless it was sent. */
export interface Dictionary {
  readonly kind: 'map'
  readonly size: number
  /** A failure where it is not certain for whom the name is there. Unknown where only some of the names are known. */
  has(name: string, work: Work): boolean | Failure | Unknown
  /** @param work - what making the value may cost */
  get(name: string, work: Work): Value | undefined
  names(): readonly string[]
}

/** Nanoseconds since 1970-01-01T00:00:00Z. */
export interface Timestamp {
  readonly kind: 'timestamp'
  readonly nanoseconds: bigint
}

export interface Duration {
  readonly kind: 'duration'
  readonly nanoseconds: bigint
}

/** The error of an expression. */
export interface Failure {
  readonly kind: 'failure'
  /** For the operator: what is missing or does not fit. Names, never values. */
  readonly reason: string
}

/** Cannot be told without the arguments. */
export interface Unknown {
  readonly kind: 'unknown'
  /** Which results it may turn out to have; see `truth.ts`. */
  readonly results: number
}

export function createFailure(reason: string): Failure {
  return { kind: 'failure', reason }
}

export function isKnown(value: Value): value is Known {
  return typeof value !== 'object' || value === null || (value.kind !== 'failure' && value.kind !== 'unknown')
}

export function isFailure(value: Value): value is Failure {
  return typeof value === 'object' && value !== null && value.kind === 'failure'
}

export function isDictionary(value: Value): value is Dictionary {
  return typeof value === 'object' && value !== null && value.kind === 'map'
}

export function isList(value: Value): value is List {
  return typeof value === 'object' && value !== null && value.kind === 'list'
}

/** @param items - of a list that is complete */
export function createList(items: readonly Value[]): List {
  return { kind: 'list', length: items.length, at: (index) => items[index] as Value }
}

/** A map that is complete. */
export function createDictionary(entries: ReadonlyMap<string, Value>): Dictionary {
  return {
    kind: 'map',
    size: entries.size,
    has: (name) => entries.has(name),
    get: (name) => entries.get(name),
    names: () => [...entries.keys()],
  }
}

/** The failure with the place in front. Other values stay. */
export function locate(value: Value, place: string): Value {
  return isFailure(value) ? createFailure(`${place}: ${value.reason}`) : value
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  bigint: 'an int',
  number: 'a double',
  boolean: 'true or false',
  list: 'a list',
  map: 'a map',
  timestamp: 'a timestamp',
  duration: 'a duration',
}

/** The type of a value, for a reason. Never the value. */
export function describeType(value: Known): string {
  if (value === null) return 'null'
  return typeNames[typeof value === 'object' ? value.kind : typeof value] ?? 'something else'
}
