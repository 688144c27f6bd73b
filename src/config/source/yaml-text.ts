import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type YAMLError } from 'yaml'
import { ConfigError, type ConfigPath, type Mistake, type Problem, problemAt } from '../problem/problem.ts'

/** Most nodes that aliases may stand for, against documents that grow without bound when read. */
const MAX_ALIASES = 100

const YAML_OPTIONS = { version: '1.2', merge: true, stringKeys: true, prettyErrors: false, logLevel: 'silent' } as const

const EMPTY: Mistake = { reason: 'the file is empty', fix: 'Write a configuration into it.' }
const SECOND: Mistake = { reason: 'the file holds more than one YAML document', fix: 'Remove everything from the second --- on.' }
const LOST_ALIAS: Mistake = {
  reason: 'an alias (*) names no anchor before it',
  fix: 'Put the value into quotes if it is not an alias.',
}
const TOO_MUCH: Mistake = { reason: 'the aliases of the file expand to too much', fix: 'Write the values out.' }

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
  const errors = firstOfEachLine([...document.errors, ...document.warnings].map((error) => explainError(error, text, lines)))
  if (second !== undefined) {
    errors.push({ ...problemAt([], SECOND), position: positionOf(second.range[0], lines) })
  }
  errors.push(...explainLostAliases(document, lines))
  if (errors.length > 0) throw new ConfigError(errors)
  return { value: readValue(document), findPosition: (at) => findPosition(document, at, lines) }
}

function explainLostAliases(document: Document, lines: LineCounter): Problem[] {
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
    return document.toJS({ maxAliasCount: MAX_ALIASES })
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

/** Further errors of a line come of the first one. */
function firstOfEachLine(errors: readonly Problem[]): Problem[] {
  const lines = new Set<number | undefined>()
  return errors.filter(({ position }) => !lines.has(position?.line) && lines.add(position?.line))
}

const INDENT: Mistake = {
  reason: 'the indentation does not fit the lines around it',
  fix: 'Indent all keys of a block the same, with spaces; align the keys of a list item with its first key.',
}

/** Our own words: those of the library repeat what stands in the file. */
const MISTAKES: { readonly [Code in YAMLError['code']]?: Mistake } = {
  BLOCK_IN_FLOW: { reason: 'a block is inside of [ ] or { }', fix: 'Close the bracket, or use blocks throughout.' },
  BAD_INDENT: INDENT,
  BLOCK_AS_IMPLICIT_KEY: {
    reason: 'a second key begins within a value',
    fix: 'Put a value that contains a colon and a space into quotes, or indent the next line like this key.',
  },
  MULTILINE_IMPLICIT_KEY: INDENT,
  NON_STRING_KEY: { reason: 'a key is not text', fix: 'Put it into quotes.' },
  TAB_AS_INDENT: { reason: 'a tab is used to indent', fix: 'Indent with spaces.' },
  TAG_RESOLVE_FAILED: { reason: 'a tag (!) is not known', fix: 'Remove it, or put the value into quotes.' },
}

const UNKNOWN: Mistake = { reason: 'this is not YAML', fix: 'Correct the line; values with special characters need quotes.' }

/** What the library means by a missing character, by the beginning of its message. */
const MISSING: readonly (readonly [message: RegExp, mistake: Mistake])[] = [
  [/^Sequence item without/, INDENT],
  [/^Missing closing/, { reason: 'a quote is missing at the end of a text', fix: 'Close it.' }],
  [
    /^Implicit (?:map )?keys? need/,
    { reason: 'a colon is missing after a key', fix: 'Write `key: value`, with a space after the colon.' },
  ],
  [/^Missing , |^Missing \{?,/, { reason: 'a comma is missing between items', fix: 'Write one.' }],
]

function explainError(error: YAMLError, text: string, lines: LineCounter): Problem {
  const [offset] = error.pos
  return { ...problemAt([], chooseMistake(error, text.slice(offset, offset + 80))), position: positionOf(offset, lines) }
}

function chooseMistake({ code, message }: YAMLError, rest: string): Mistake {
  if (code === 'DUPLICATE_KEY') {
    // Words as our keys are: anything else may be a secret.
    const key = /^["']?([a-z][a-z_]{0,39})["']?\s*:/.exec(rest)?.[1]
    return { reason: `${key === undefined ? 'a key' : `the key \`${key}\``} is given twice`, fix: 'Remove one of the two.' }
  }
  if (code !== 'MISSING_CHAR') return MISTAKES[code] ?? UNKNOWN
  return (
    MISSING.find(([pattern]) => pattern.test(message))?.[1] ?? {
      reason: 'a character is missing (a quote, a colon, a comma or a bracket)',
      fix: 'Complete the line.',
    }
  )
}
