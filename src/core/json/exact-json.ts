/** What `JSON.parse` tells a reviver of a primitive value, as of ECMAScript 2026. */
interface Context {
  readonly source?: string
}

type Reviver = (key: string, value: unknown, context: Context) => unknown

/**
 * Parses JSON without rounding: a number beyond 2^53 stays the text that it was. Identifiers of that size are in use, and rounded, the
 * users …993 and …992 are one.
 *
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return MAY_BE_ROUNDED.test(text) ? JSON.parse(text, keepExact as (key: string, value: unknown) => unknown) : JSON.parse(text)
}

/** A number beyond 2^53 has 16 digits or an exponent. Other texts need no reviver, with which to parse takes ten times as long. */
const MAY_BE_ROUNDED = /[0-9]{16}|(?:^|[[:,\s])-?[0-9][0-9.]*[eE]/

const keepExact: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? source : value
