import { createFailure, type Duration, type Failure, type Known, type Timestamp, type Value } from './value.ts'

const SECOND = 1_000_000_000n
const MILLISECOND = 1_000_000n
/** The years 1 to 9999, as in CEL. */
const EARLIEST = -62_135_596_800n * SECOND
const LATEST = 253_402_300_800n * SECOND - 1n
/** Some 10,000 years, as in protobuf. */
const LONGEST = 315_576_000_000n * SECOND
/** Longer texts are no duration: each part takes a step. */
const MAX_TEXT = 64

const OUT_OF_RANGE: Failure = Object.freeze(createFailure('a time is out of range'))
const NO_TIMESTAMP: Failure = Object.freeze(createFailure('a text is no timestamp of RFC 3339, such as 2026-12-31T23:59:59Z'))
const NO_DURATION: Failure = Object.freeze(createFailure('a text is no duration, such as 90s, 15m or 1h30m'))

function createTimestamp(nanoseconds: bigint): Value {
  return nanoseconds >= EARLIEST && nanoseconds <= LATEST ? { kind: 'timestamp', nanoseconds } : OUT_OF_RANGE
}

function createDuration(nanoseconds: bigint): Value {
  return nanoseconds >= -LONGEST && nanoseconds <= LONGEST ? { kind: 'duration', nanoseconds } : OUT_OF_RANGE
}

/** @param milliseconds - since 1970 */
export function fromClock(milliseconds: number): Value {
  return Number.isSafeInteger(milliseconds) ? createTimestamp(BigInt(milliseconds) * MILLISECOND) : OUT_OF_RANGE
}

/** @param seconds - since 1970 */
export function fromSeconds(seconds: bigint): Value {
  return createTimestamp(seconds * SECOND)
}

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

/** RFC 3339 §5.6, in capital letters. */
export function parseTimestamp(text: string): Value {
  const [, day = '', fraction = '', zone = ''] = RFC_3339.exec(text) ?? []
  const milliseconds = Date.parse(`${day}${zone}`)
  // `Date.parse` takes February 30 for March 2.
  const isDay = !Number.isNaN(milliseconds) && new Date(`${day}Z`).toISOString().startsWith(day)
  if (!isDay) return NO_TIMESTAMP
  return createTimestamp(BigInt(milliseconds) * MILLISECOND + BigInt(fraction.padEnd(9, '0')))
}

const units: Readonly<Record<string, bigint>> = {
  h: 3600n * SECOND,
  m: 60n * SECOND,
  s: SECOND,
  ms: MILLISECOND,
  us: 1000n,
  ns: 1n,
}

const PART = /(\d{1,18})(?:\.(\d{1,9}))?(h|ms|m|s|us|ns)/y

/** `1h30m`, `-2.5s`: numbers with units. */
export function parseDuration(text: string): Value {
  if (text.length > MAX_TEXT) return NO_DURATION
  const start = text.startsWith('-') ? 1 : 0
  let at = start
  let sum = 0n
  while (at < text.length) {
    PART.lastIndex = at
    const [part = '', whole = '', fraction = '', unit = ''] = PART.exec(text) ?? []
    if (part === '') return NO_DURATION
    const size = units[unit] ?? 0n
    sum += BigInt(whole) * size + (BigInt(fraction.padEnd(9, '0')) * size) / SECOND
    at += part.length
  }
  return at === start ? NO_DURATION : createDuration(start === 1 ? -sum : sum)
}

/** Sums and differences of timestamps and durations; undefined where there is none. */
export function calculateTime(operator: string, left: Known, right: Known): Value | undefined {
  if (operator !== '+' && operator !== '-') return undefined
  const [one, other] = [readTime(left), readTime(right)]
  if (one === undefined || other === undefined) return undefined
  const result = operator === '+' ? one.nanoseconds + other.nanoseconds : one.nanoseconds - other.nanoseconds
  const kinds = `${one.kind} ${operator} ${other.kind}`
  if (durations.has(kinds)) return createDuration(result)
  return timestamps.has(kinds) ? createTimestamp(result) : undefined
}

const durations: ReadonlySet<string> = new Set(['duration + duration', 'duration - duration', 'timestamp - timestamp'])
const timestamps: ReadonlySet<string> = new Set(['timestamp + duration', 'timestamp - duration'])

function readTime(value: Known): Timestamp | Duration | undefined {
  const isTime = typeof value === 'object' && value !== null && (value.kind === 'timestamp' || value.kind === 'duration')
  return isTime ? value : undefined
}

function divideDown(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value % divisor < 0n ? quotient - 1n : quotient
}

/** The whole hours, minutes or seconds of a duration. */
export function readDuration(method: string, { nanoseconds }: Duration): bigint | undefined {
  if (method === 'getHours') return nanoseconds / (3600n * SECOND)
  if (method === 'getMinutes') return nanoseconds / (60n * SECOND)
  return method === 'getSeconds' ? nanoseconds / SECOND : undefined
}

type ReadField = (fields: Readonly<Record<string, number>>) => number

/** Methods of timestamps, and how they read the fields of a date (from `splitDate`). Months and days of the month begin with 0. */
export const dateMethods: Readonly<Record<string, ReadField>> = {
  getFullYear: ({ year = 0 }) => year,
  getMonth: ({ month = 0 }) => month - 1,
  getDate: ({ day = 0 }) => day,
  getDayOfMonth: ({ day = 0 }) => day - 1,
  getDayOfWeek: ({ year = 0, month = 0, day = 0 }) => new Date(Date.UTC(2000 + (year % 400), month - 1, day)).getUTCDay(),
  getHours: ({ hour = 0 }) => hour,
  getMinutes: ({ minute = 0 }) => minute,
  getSeconds: ({ second = 0 }) => second,
}

/** How clocks of a time zone show a moment. */
export type SplitDate = (timestamp: Timestamp) => Readonly<Record<string, number>>

/**
 * @param timeZone - `Europe/Berlin`, `+02:00`, `UTC`
 * @throws RangeError when there is no such zone
 */
export function createSplitDate(timeZone: string): SplitDate {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn-hc-h23', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return ({ nanoseconds }) => {
    const parts = format.formatToParts(Number(divideDown(nanoseconds, MILLISECOND)))
    return Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]))
  }
}
