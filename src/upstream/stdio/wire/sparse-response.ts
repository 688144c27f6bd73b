import { isObject } from '../../../core/is-object.ts'
import { MESSAGE_DEEPER } from '../../../core/json/outline-messages.ts'
import { type Outline, outlineChosen, type PickMember, skipString } from '../../../core/json/shallow-outline.ts'

/**
 * A value takes twenty times the memory of its text, and all other requests wait while it is built: a line of 16 MiB may hold that many brackets.
 * Of a line with more values than this, only what stands near its root is built.
 */
const MAX_BUILT_VALUES = 100_000
/** Of a message, and of its `result` and the members that are looked at in it. */
const MAX_NEAR_VALUES = 1000
/** Longer members of a `result` are the client's to read. */
const MAX_BUILT_LENGTH = 16 * 1024
const NO_PICKS: ReadonlyMap<string, PickMember> = new Map()
const NO_MEMBERS: ReadonlyMap<string, number> = new Map()
const NO_OUTLINES: ReadonlyMap<string, Outline> = new Map()

const QUOTE = 0x22
const COMMA = 0x2c
/** Opening brackets differ from opening braces by one bit. */
const OPEN_BRACE = 0x7b
const BRACKET_BIT = 0x20

type Json = Readonly<Record<string, unknown>>

/** Whether a text holds more values than are built, as far as it is JSON. */
export function holdsManyValues(text: string): boolean {
  if (text.length <= MAX_BUILT_VALUES) return false
  let values = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = findStringEnd(text, at)
    else if ((code === COMMA || (code | BRACKET_BIT) === OPEN_BRACE) && ++values > MAX_BUILT_VALUES) return true
  }
  return false
}

/** Index of the quote that ends a string; that of the last character where none does. */
function findStringEnd(text: string, start: number): number {
  try {
    return skipString(text, start) - 1
  } catch {
    return text.length - 1
  }
}

/** JSON has them in no place, and some readers of event streams end a line at one. */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000a-\u001f]/

/**
 * A response of which the long members of `result` are left out; undefined for what is none, or none that is clear. Like other responses it may lack
 * its version, and have an `error` that is `null`.
 */
export function readSparseResponse(text: string): Json | undefined {
  try {
    const { members } = outlineChosen(text, 2, { deeper: MESSAGE_DEEPER, picks: NO_PICKS, maxValues: MAX_NEAR_VALUES })
    const result = members?.get('result')
    if (members === undefined || result === undefined || members.has('method') || CONTROL_CHARACTERS.test(text)) return undefined
    return checkResponse({ ...readEnvelope(text, members), result: buildNear(text, result) })
  } catch {
    return undefined
  }
}

function checkResponse(value: Json): Json | undefined {
  const { jsonrpc = '2.0', id, error = null } = value
  return jsonrpc === '2.0' && error === null && (typeof id === 'string' || typeof id === 'number') ? value : undefined
}

/**
 * What a message says of itself on its first level. Of `result` and `error` it holds no more than that they are there, or that they are `null`, and of
 * `method` whether it is a string. What is too long to be built is `null`: it is there, and it is nothing that is known.
 */
export type Envelope = Readonly<Partial<Record<'jsonrpc' | 'id' | 'result' | 'error', unknown>>> & {
  readonly method?: 'string' | 'other'
}

/** Of the message on a line, or of each message of a batch; undefined where the line is not clear. */
export function readEnvelopes(text: string): readonly Envelope[] | undefined {
  try {
    const depth = text.trimStart().startsWith('[') ? 2 : 1
    const root = outlineChosen(text, depth, { deeper: NO_MEMBERS, picks: NO_PICKS, maxValues: MAX_NEAR_VALUES })
    return (root.items ?? [root]).map(({ members = NO_OUTLINES }) => readEnvelope(text, members))
  } catch {
    return undefined
  }
}

function readEnvelope(text: string, members: ReadonlyMap<string, Outline>): Envelope {
  const listed = ['jsonrpc', 'id', 'result', 'error'].filter((name) => members.has(name))
  const method = members.get('method')
  return {
    ...Object.fromEntries(listed.map((name) => [name, readEnvelopeMember(text, name, members.get(name))])),
    ...(method && { method: text.charCodeAt(method.start) === QUOTE ? 'string' : 'other' }),
  }
}

function readEnvelopeMember(text: string, name: string, outline: Outline | undefined): unknown {
  return name === 'result' || name === 'error' ? hint(text, outline) : (build(text, outline) ?? null)
}

/** What a response says, wholly or near its root. @param text - of one that was read before */
export function readResponseValue(text: string): Json {
  const value = holdsManyValues(text) ? readSparseResponse(text) : (JSON.parse(text) as unknown)
  return isObject(value) ? value : {}
}

function hint(text: string, outline: Outline | undefined): true | null {
  return outline !== undefined && text.slice(outline.start, outline.end) === 'null' ? null : true
}

function buildNear(text: string, { members }: Outline): Json {
  const built = [...(members ?? [])].map(([name, member]) => [name, build(text, member)] as const)
  return Object.fromEntries(built.filter(([, value]) => value !== undefined))
}

function build(text: string, outline: Outline | undefined): unknown {
  if (outline === undefined || outline.end - outline.start > MAX_BUILT_LENGTH) return undefined
  return JSON.parse(text.slice(outline.start, outline.end)) as unknown
}
