/** Where a value stands in a text, and for containers near the root what is in them. */
export interface Outline {
  readonly start: number
  /** Index behind the last character. */
  readonly end: number
  /** Members of an object above the outline's depth. */
  readonly members?: ReadonlyMap<string, Outline>
  /** Names that came more than once, where that is no error: the member is one of several. */
  readonly repeated?: ReadonlySet<string>
  /** Items of an array above the outline's depth. */
  readonly items?: readonly Outline[]
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
/** Opening and closing brackets differ from the braces by one bit. */
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const BRACKET_BIT = 0x20

/**
 * Tells where the values near the root of a JSON text stand. What lies deeper is stepped over, however deep it is and whatever stands in
 * it: it is passed on as it came, and so it is the reader's alone.
 *
 * @param text - found to be JSON before; of other texts the outline is a guess
 * @param depth - how many levels of containers are listed; in those a repeated key is an error, since decoders take one or the other
 * @param deeper - name of a member at the last level → how many more levels of it are listed
 * @throws Error where the text has no such structure
 */
export function outlineShallow(text: string, depth: number, deeper?: ReadonlyMap<string, number>): Outline {
  return readValue(text, skipSpace(text, 0), depth, { ...strict, deeper })
}

/**
 * The same, for a text that may say a thing twice: a repeated key is named instead of refused.
 *
 * @throws Error also for a list of more than so many items
 */
export function outlineDoubtful(text: string, depth: number, maxItems: number): Outline {
  return readValue(text, skipSpace(text, 0), depth, { mayRepeat: true, maxItems })
}

/**
 * The same, for a text that was not found to be JSON before: what stands between the listed values is checked, and so is that nothing
 * follows the outermost one.
 *
 * @param deeper - as above
 * @param maxValues - most values that are listed
 * @throws Error also for more values
 */
export function outlineChosen(text: string, depth: number, deeper: ReadonlyMap<string, number>, maxValues: number): Outline {
  const root = readValue(text, skipSpace(text, 0), depth, { ...strict, deeper, room: { left: maxValues } })
  if (skipSpace(text, root.end) < text.length) throw new Error('text behind the value')
  return root
}

interface Rules {
  readonly mayRepeat: boolean
  readonly maxItems: number
  readonly deeper?: ReadonlyMap<string, number> | undefined
  /** How many more values may be listed. Where it is given, they are checked. */
  readonly room?: { left: number }
}

const strict: Rules = { mayRepeat: false, maxItems: Number.POSITIVE_INFINITY }

function readValue(text: string, start: number, depth: number, rules: Rules): Outline {
  if (rules.room !== undefined && --rules.room.left < 0) throw new Error('too many values')
  const code = text.charCodeAt(start)
  if (code === QUOTE) return { start, end: skipString(text, start) }
  if ((code | BRACKET_BIT) !== OPEN_BRACE) return { start, end: readPrimitive(text, start, rules) }
  if (depth === 0) return { start, end: skipContainer(text, start) }
  return code === OPEN_BRACE ? readObject(text, start, depth - 1, rules) : readArray(text, start, depth - 1, rules)
}

function readObject(text: string, start: number, depth: number, rules: Rules): Outline {
  const members = new Map<string, Outline>()
  const repeated = rules.mayRepeat ? new Set<string>() : undefined
  let at = skipSpace(text, start + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const end = skipString(text, at)
    const name = readKey(text.slice(at, end))
    if (members.has(name)) noteRepeated(repeated, name)
    const colon = skipSpace(text, end)
    if (text.charCodeAt(colon) !== COLON) throw new Error('no colon')
    const value = readMember(text, name, skipSpace(text, colon + 1), depth, rules)
    members.set(name, value)
    at = skipComma(text, value.end)
  }
  return { start, end: close(text, at), members, ...(repeated && { repeated }) }
}

function readMember(text: string, name: string, start: number, depth: number, rules: Rules): Outline {
  const further = depth === 0 ? rules.deeper?.get(name) : undefined
  // Only once on the way down: the text must not decide how deep the recursion goes.
  return further === undefined
    ? readValue(text, start, depth, rules)
    : readValue(text, start, further, { ...rules, deeper: undefined })
}

function noteRepeated(repeated: Set<string> | undefined, name: string): void {
  if (repeated === undefined) throw new Error('repeated key')
  repeated.add(name)
}

function readArray(text: string, start: number, depth: number, rules: Rules): Outline {
  const items: Outline[] = []
  let at = skipSpace(text, start + 1)
  while (at < text.length && (text.charCodeAt(at) | BRACKET_BIT) !== CLOSE_BRACE) {
    const item = readValue(text, at, depth, rules)
    if (items.push(item) > rules.maxItems) throw new Error('too many items')
    at = skipComma(text, item.end)
  }
  return { start, end: close(text, at), items }
}

function close(text: string, at: number): number {
  if ((text.charCodeAt(at) | BRACKET_BIT) !== CLOSE_BRACE) throw new Error('not closed')
  return at + 1
}

function readKey(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
}

/** To what follows the comma, or to the bracket. */
function skipComma(text: string, at: number): number {
  const next = skipSpace(text, at)
  return text.charCodeAt(next) === COMMA ? skipSpace(text, next + 1) : next
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 0x20) at++
  return at
}

/** @param start - index of the quote; @returns the index behind the string */
export function skipString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  if (end < 0) throw new Error('unfinished string')
  return end + 1
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === BACKSLASH) before--
  return (at - before) % 2 === 0
}

const PRIMITIVE = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/

function readPrimitive(text: string, start: number, { room }: Rules): number {
  const end = skipPrimitive(text, start)
  if (room !== undefined && !PRIMITIVE.test(text.slice(start, end))) throw new Error('no value')
  return end
}

function skipPrimitive(text: string, start: number): number {
  let at = start
  while (at < text.length && !isEndOfPrimitive(text.charCodeAt(at))) at++
  if (at === start) throw new Error('no value')
  return at
}

function isEndOfPrimitive(code: number): boolean {
  return code <= 0x20 || code === COMMA || (code | BRACKET_BIT) === CLOSE_BRACE
}

/** Counts brackets instead of calling itself: no nesting is too deep for it. */
function skipContainer(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = skipString(text, at) - 1
    else if ((code | BRACKET_BIT) === OPEN_BRACE) depth++
    else if ((code | BRACKET_BIT) === CLOSE_BRACE && --depth === 0) return at + 1
  }
  throw new Error('not closed')
}

/** Whether containers are nested deeper than this. What calls itself for each level, as `JSON.stringify` does, must not meet such. */
export function isDeeperThan(most: number, value: unknown): boolean {
  let level = [value].filter(isContainer)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > most) return true
    level = level.flatMap((container) => Object.values(container).filter(isContainer))
  }
  return false
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
