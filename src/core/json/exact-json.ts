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
  const value: unknown = JSON.parse(text)
  return holdsRounded(value) ? JSON.parse(text, keepExact as (key: string, value: unknown) => unknown) : value
}

/** Most texts have no such number, and to parse with a reviver takes ten times as long. */
function holdsRounded(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsRounded)
}

const keepExact: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? source : value
