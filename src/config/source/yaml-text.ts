import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type YAMLError } from 'yaml'
import { ConfigError, type ConfigPath, type Flaw, type Problem, problemAt } from '../problem/problem.ts'

/** Most nodes that aliases may stand for, against documents that grow without bound when read. */
const MOST_ALIASES = 100

const YAML_OPTIONS = { version: '1.2', merge: true, stringKeys: true, prettyErrors: false, logLevel: 'silent' } as const

const EMPTY: Flaw = { reason: 'the file is empty', fix: 'Write a configuration into it.' }
const SECOND: Flaw = { reason: 'the file holds more than one YAML document', fix: 'Remove everything from the second --- on.' }
const LOST_ALIAS: Flaw = {
  reason: 'an alias (*) names no anchor before it',
  fix: 'Put the value into quotes if it is no alias.',
}
const TOO_MUCH: Flaw = { reason: 'the aliases of the file stand for too much', fix: 'Write the values out.' }

/** A configuration file, read. */
export interface YamlText {
  readonly value: unknown
  /** Where a key stands in the file, or the nearest block around it. */
  readonly findPosition: (at: ConfigPath) => Problem['position']
}

/**
 * Reads YAML 1.2 or JSON: one document, no key twice, no tags of its own.
 *
 * @param text - the file
 * @throws ConfigError with line and column of every mistake; nothing of the text is repeated, since it may hold secrets
 */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  const [document, second] = [...parseAllDocuments(text, { ...YAML_OPTIONS, lineCounter: lines })]
  if (document === undefined) throw new ConfigError([problemAt([], EMPTY)])
  const errors = [...document.errors, ...document.warnings].map((error) => tellError(error, lines))
  if (second !== undefined) {
    errors.push({ ...problemAt([], SECOND), position: positionOf(second.range[0], lines) })
  }
  errors.push(...tellLostAliases(document, lines))
  if (errors.length > 0) throw new ConfigError(errors)
  return { value: readValue(document), findPosition: (at) => findPosition(document, at, lines) }
}

function tellLostAliases(document: Document, lines: LineCounter): Problem[] {
  const lost: Problem[] = []
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      lost.push({ ...problemAt([], LOST_ALIAS), position: positionOf(alias.range?.[0] ?? 0, lines) })
    },
  })
  return lost
}

function readValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES })
  } catch {
    throw new ConfigError([problemAt([], TOO_MUCH)])
  }
}

function findPosition(document: Document, at: ConfigPath, lines: LineCounter): Problem['position'] {
  for (let length = at.length; length > 0; length--) {
    const container = length === 1 ? document.contents : document.getIn(at.slice(0, length - 1), true)
    const offset = findOffset(container, at[length - 1])
    if (offset !== undefined) return positionOf(offset, lines)
  }
  return undefined
}

/** Where a key, or an item, of a block begins. */
function findOffset(container: unknown, segment: string | number | undefined): number | undefined {
  const pair = isMap(container) ? container.items.find(({ key }) => (isScalar(key) ? key.value : key) === segment) : undefined
  const item = isSeq(container) && typeof segment === 'number' ? container.items[segment] : undefined
  const node = pair?.key ?? item
  return isNode(node) ? node.range?.[0] : undefined
}

function positionOf(offset: number, lines: LineCounter): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** Our own words: those of the library repeat what stands in the file. */
function tellError(error: YAMLError, lines: LineCounter): Problem {
  const flaws: Partial<Record<typeof error.code, readonly [reason: string, fix: string]>> = {
    BLOCK_IN_FLOW: ['a block stands inside of [ ] or { }', 'Close the bracket, or use blocks throughout.'],
    BAD_INDENT: ['the indentation does not fit', 'Indent all keys of a block the same, with blanks.'],
    DUPLICATE_KEY: ['a key is given twice', 'Remove one of the two.'],
    MISSING_CHAR: ['a character is missing (a quote, a colon, a comma or a bracket)', 'Complete the line.'],
    NON_STRING_KEY: ['a key is no text', 'Put it into quotes.'],
    TAB_AS_INDENT: ['a tab is used to indent', 'Indent with blanks.'],
    TAG_RESOLVE_FAILED: ['a tag (!) is not known', 'Remove it, or put the value into quotes.'],
  }
  const [reason, fix] = flaws[error.code] ?? ['this is not YAML', 'Correct the line; values with special characters need quotes.']
  return { ...problemAt([], { reason, fix }), position: positionOf(error.pos[0], lines) }
}
