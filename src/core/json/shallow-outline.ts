/** Where a value stands in a text, and for containers near the root what is in them. */
export interface Outline {
  readonly start: number
  /** Index behind the last character. */
  readonly end: number
  /** Members of an object above the outline's depth. */
  readonly members?: ReadonlyMap<string, Outline>
  /** Of an object at the last level the one member that was picked, where one is. */
  readonly picked?: Pick<Outline, 'start' | 'end'> | undefined
  /** Names that came more than once, where that is no error: the member is one of several. */
  readonly repeated?: ReadonlySet<string>
  /** Items of an array above the outline's depth. */
  readonly items?: readonly Outline[]
}

/** Whether a member is the one that is wanted, by its name. All others are stepped over, and not compared with each other. May throw. */
export type PickMember = (name: string) => boolean

const REPEATED = 'repeated key'

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
 * @param choice - which values are listed
 * @throws Error also for more values
 */
export function outlineChosen(text: string, depth: number, { deeper, picks, maxValues }: Choice): Outline {
  const root = readValue(text, skipSpace(text, 0), depth, { ...strict, deeper, picks, room: { left: maxValues } })
  if (skipSpace(text, root.end) < text.length) throw new Error('text behind the value')
  return root
}

interface Choice {
  /** As above. */
  readonly deeper: ReadonlyMap<string, number>
  /** Name of a member that is listed deeper → which member is wanted of each object at its last level. */
  readonly picks: ReadonlyMap<string, PickMember>
  /** Most values that are looked at, those that are stepped over as well. */
  readonly maxValues: number
}

interface Rules {
  readonly mayRepeat: boolean
  readonly maxItems: number
  readonly deeper?: ReadonlyMap<string, number> | undefined
  readonly picks?: ReadonlyMap<string, PickMember> | undefined
  /** For objects at the last level. */
  readonly names?: MemberNames | undefined
  /** How many more values may be listed. Where it is given, they are checked. */
  readonly room?: { left: number }
}

const strict: Rules = { mayRepeat: false, maxItems: Number.POSITIVE_INFINITY }

function readValue(text: string, start: number, depth: number, rules: Rules): Outline {
  const code = text.charCodeAt(start)
  if (depth === 0 || (code | BRACKET_BIT) !== OPEN_BRACE) return { start, end: skipValue(text, start, rules) }
  count(rules)
  if (code !== OPEN_BRACE) return readArray(text, start, depth - 1, rules)
  const { names } = rules
  return depth === 1 && names !== undefined ? readPicked(text, start, names, rules) : readObject(text, start, depth - 1, rules)
}

/** @returns the index behind the value */
function skipValue(text: string, start: number, rules: Rules): number {
  count(rules)
  const code = text.charCodeAt(start)
  if (code === QUOTE) return skipString(text, start)
  return (code | BRACKET_BIT) === OPEN_BRACE ? skipContainer(text, start) : readPrimitive(text, start, rules)
}

function count({ room }: Rules): void {
  if (room !== undefined && --room.left < 0) throw new Error('too many values')
}

/** Lists have many items with many members, of which one matters: no map for each item. */
function readPicked(text: string, start: number, names: MemberNames, rules: Rules): Outline {
  let picked: Outline['picked']
  let at = skipSpace(text, start + 1)
  for (let place = 0; text.charCodeAt(at) === QUOTE; place++) {
    const name = names.read(text, at, place)
    const value = skipColon(text, at + name.quoted.length)
    const end = skipValue(text, value, rules)
    if (name.isWanted && picked !== undefined) throw new Error(REPEATED)
    if (name.isWanted) picked = { start: value, end }
    at = skipComma(text, end)
  }
  return { start, end: close(text, at), picked }
}

/** The name of a member, as it stands in the text. */
interface MemberName {
  readonly quoted: string
  readonly isWanted: boolean
}

/** Names of members that were judged. Items of a list have the same ones in the same places: comparing is quicker than reading. */
class MemberNames {
  readonly #pick: PickMember
  readonly #known: MemberName[] = []

  constructor(pick: PickMember) {
    this.#pick = pick
  }

  read(text: string, at: number, place: number): MemberName {
    const known = this.#known[place]
    if (known !== undefined && text.startsWith(known.quoted, at)) return known
    const end = skipString(text, at)
    const name = { quoted: text.slice(at, end), isWanted: this.#pick(readKey(text, at, end)) }
    if (place < MAX_KNOWN) this.#known[place] = name
    return name
  }
}

const MAX_KNOWN = 32

function readObject(text: string, start: number, depth: number, rules: Rules): Outline {
  const members = new Map<string, Outline>()
  const repeated = rules.mayRepeat ? new Set<string>() : undefined
  let at = skipSpace(text, start + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const end = skipString(text, at)
    const name = readKey(text, at, end)
    if (members.has(name)) noteRepeated(repeated, name)
    const value = readMember(text, name, skipColon(text, end), depth, rules)
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
    : readValue(text, start, further, { ...rules, deeper: undefined, picks: undefined, names: createNames(rules, name) })
}

function createNames({ picks }: Rules, list: string): MemberNames | undefined {
  const pick = picks?.get(list)
  return pick && new MemberNames(pick)
}

function noteRepeated(repeated: Set<string> | undefined, name: string): void {
  if (repeated === undefined) throw new Error(REPEATED)
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

function readKey(text: string, start: number, end: number): string {
  const key = text.slice(start + 1, end - 1)
  return key.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : key
}

/** To the value behind the name of a member. */
function skipColon(text: string, at: number): number {
  const colon = skipSpace(text, at)
  if (text.charCodeAt(colon) !== COLON) throw new Error('no colon')
  return skipSpace(text, colon + 1)
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
