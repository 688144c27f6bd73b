import { spend, type Work } from '../work.ts'
import { checkDouble, parseInteger, truncate } from './number.ts'
import { containsText, countCharacters, lowerAscii } from './text.ts'
import { createSplitDate, dateMethods, fromSeconds, parseDuration, parseTimestamp, readDuration, type SplitDate } from './time.ts'
import { createFailure, describeType, type Known, type Value } from './value.ts'

/** Computes a function; undefined where it is not for such values. For a method, what stands before the dot comes first. */
export type Apply = (values: readonly Known[], work: Work) => Value | undefined

/** What is available, by form and number of arguments: `size/1`, `.startsWith/1`. Everything else is refused: the library checks more than CEL has. */
export const functions: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['size/1', ([value], work) => readSize(value, work)],
  ['.size/0', ([value], work) => readSize(value, work)],
  ['int/1', ([value], work) => toInt(value, work)],
  ['double/1', ([value], work) => toDouble(value, work)],
  ['string/1', ([value]) => toText(value)],
  ['timestamp/1', ([value]) => toTimestamp(value)],
  ['duration/1', ([value]) => (typeof value === 'string' ? parseDuration(value) : undefined)],
  ['.startsWith/1', ofTexts((text, other) => text.startsWith(other))],
  ['.endsWith/1', ofTexts((text, other) => text.endsWith(other))],
  ['.contains/1', ofTexts(containsText)],
  ['.lowerAscii/0', ([text], work) => (typeof text === 'string' ? countedText(text, work, lowerAscii) : undefined)],
  ...Object.keys(dateMethods).map((name): [string, Apply] => [`.${name}/0`, ([value]) => readDate(name, value, splitInUtc)]),
])

/** The same method in the clocks of a zone. Undefined when there is no such method of dates. @throws RangeError when there is no such zone */
export function createDateMethod(name: string, timeZone: string): Apply | undefined {
  if (!Object.hasOwn(dateMethods, name)) return undefined
  const split = createSplitDate(timeZone)
  return ([value]) => (isDuration(value) ? undefined : readDate(name, value, split))
}

let utc: SplitDate | undefined

/** Made for the first date: the calendars of ICU take time and memory. */
const splitInUtc: SplitDate = (timestamp) => {
  utc ??= createSplitDate('UTC')
  return utc(timestamp)
}

function readDate(name: string, value: Known | undefined, split: SplitDate): Value | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value.kind === 'duration') return readDuration(name, value)
  const field = value.kind === 'timestamp' ? dateMethods[name]?.(split(value)) : undefined
  return field === undefined ? undefined : BigInt(field)
}

function isDuration(value: Known | undefined): boolean {
  return typeof value === 'object' && value !== null && value.kind === 'duration'
}

function ofTexts(apply: (text: string, other: string, work: Work) => boolean): Apply {
  return ([text, other], work) => {
    if (typeof text !== 'string' || typeof other !== 'string') return undefined
    spend(work, other.length)
    return apply(text, other, work)
  }
}

function countedText(text: string, work: Work, apply: (text: string) => Value): Value {
  spend(work, text.length)
  return apply(text)
}

function readSize(value: Known | undefined, work: Work): Value | undefined {
  if (typeof value === 'string') return countedText(value, work, (text) => BigInt(countCharacters(text)))
  if (typeof value !== 'object' || value === null) return undefined
  if (value.kind === 'list') return BigInt(value.length)
  if (value.kind !== 'map') return undefined
  spend(work, value.size)
  return BigInt(value.size)
}

function toInt(value: Known | undefined, work: Work): Value | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return truncate(value)
  if (typeof value === 'string') {
    spend(work, value.length)
    return /^-?\d+$/.test(value) ? parseInteger(value) : createFailure('a text is no int')
  }
  return undefined
}

/** Of texts only plain decimal numbers: no hexadecimal digits, no infinity. */
function toDouble(value: Known | undefined, work: Work): Value | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return undefined
  spend(work, value.length)
  const isDecimal = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value)
  return isDecimal ? checkDouble(Number(value)) : createFailure('a text is no double')
}

function toText(value: Known | undefined): Value | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  return typeof value === 'number' ? formatDouble(value) : undefined
}

/** Where it takes an exponent, languages write it differently. */
function formatDouble(value: number): Value {
  const text = String(value)
  return text.includes('e') ? createFailure('a double is too large or too small to be written as text') : text
}

function toTimestamp(value: Known | undefined): Value | undefined {
  if (typeof value === 'string') return parseTimestamp(value)
  if (typeof value === 'bigint') return fromSeconds(value)
  return undefined
}

/** Why a function failed: the types that it was given. */
export function describeTypes(values: readonly Known[]): string {
  return values.map(describeType).join(' and ')
}
