import type { JsonMembers, JsonOutline } from '../../core/json/json-outline.ts'
import { outlineJson, readJsonString } from '../../core/json/strict-json.ts'
import { spend, type Work } from '../work.ts'
import { createLookAlikeFinder } from './argument-names.ts'
import { parseNumber } from './number.ts'
import { createFailure, type Dictionary, type List, type Value } from './value.ts'

/** The arguments of a call, as expressions see them: `args`. Opaque; made by `parseArguments`. */
export type ArgumentValue = Value

/** Bodies nest no deeper, whatever the configuration permits: what is too deep was refused before. */
const MAX_DEPTH = 512
/** Longer lists are not looked into: each item would take the memory of an object. */
const MAX_ITEMS = 100_000
/** The scanner takes as long for so many characters as an expression for one. */
const SCANNED_PER_STEP = 4

/**
 * Reads the arguments of a call for expressions. The text is scanned once, strictly; values are made where an expression looks at them,
 * and an object or list inside is scanned when it is looked into.
 *
 * @param text - the JSON text of `arguments`; undefined where the call has none, which is the same as `{}`
 * @throws StrictJsonError
 */
export function parseArguments(text: string | undefined): ArgumentValue {
  if (text === undefined) return parseArguments('{}')
  const outline = outlineJson(text, MAX_DEPTH, 1, MAX_ITEMS)
  if (outline.members === undefined) return createFailure('the arguments are no object')
  return createJsonMap(text, outline.members)
}

/**
 * The same, but read only when they are asked for, and once: all rules of a decision share it.
 *
 * @returns what throws StrictJsonError where the text is no JSON
 */
export function createArgumentReader(text: string | undefined): () => ArgumentValue {
  let value: ArgumentValue | undefined
  return () => {
    value ??= parseArguments(text)
    return value
  }
}

function createJsonMap(text: string, members: JsonMembers): Dictionary {
  const seen = new Map<string, Value>()
  const hasLookAlike = createLookAlikeCheck(members)
  return {
    kind: 'map',
    size: members.size,
    has: (name, work) => (hasLookAlike(name, work) ? LOOK_ALIKE : members.has(name)),
    get: (name, work) => {
      const known = seen.get(name)
      if (known !== undefined) return known
      if (hasLookAlike(name, work)) return LOOK_ALIKE
      const member = members.get(name)
      if (member === undefined) return undefined
      const value = readValue(text, member, work)
      // What is too much for one budget may not be for another.
      if (work.left >= 0) seen.set(name, value)
      return value
    },
    names: () => listNames(members),
  }
}

/** With two names that some MCP servers take for one it is not known whose value counts. */
const LOOK_ALIKE = createFailure(
  'the arguments have another name that some MCP servers take for it (letter case, underscores, NUL)',
)

/** Whether another member may be taken for the one of this name. Names are counted once, when they are looked at first. */
function createLookAlikeCheck(members: JsonMembers): (name: string, work: Work) => boolean {
  let find: ((name: string) => boolean) | undefined
  return (name, work) => {
    find ??= createCountedFinder(members, work)
    return find(name)
  }
}

function createCountedFinder(members: JsonMembers, work: Work): (name: string) => boolean {
  members.forEach((name) => {
    spend(work, name.length)
  })
  return createLookAlikeFinder(members)
}

function listNames(members: JsonMembers): readonly string[] {
  const names: string[] = []
  members.forEach((name) => {
    names.push(name)
  })
  return names
}

function readValue(text: string, outline: JsonOutline, work: Work): Value {
  if (outline.kind === 'string') return readJsonString(text, outline)
  const slice = text.slice(outline.start, outline.end)
  if (outline.kind === 'number') return parseNumber(slice)
  return outline.kind === 'literal' ? readLiteral(slice) : readContainer(slice, work)
}

function readLiteral(literal: string): Value {
  return literal === 'null' ? null : literal === 'true'
}

/** Scans the container's own level. What is in it was checked with the whole text. */
function readContainer(text: string, work: Work): Value {
  spend(work, Math.ceil(text.length / SCANNED_PER_STEP))
  if (work.left < 0) return createFailure('the arguments are too much to look at')
  const { members, items } = outlineJson(text, MAX_DEPTH, 1, MAX_ITEMS)
  if (members !== undefined) return createJsonMap(text, members)
  return items === undefined ? createFailure(`a list has more than ${MAX_ITEMS} items`) : createJsonList(text, items)
}

function createJsonList(text: string, items: readonly JsonOutline[]): List {
  const seen: (Value | undefined)[] = []
  return {
    kind: 'list',
    length: items.length,
    at: (index, work) => {
      const known = seen[index]
      if (known !== undefined) return known
      const value = readValue(text, items[index] as JsonOutline, work)
      if (work.left >= 0) seen[index] = value
      return value
    },
  }
}
