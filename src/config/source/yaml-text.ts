import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type YAMLError,
} from 'yaml'
import { ConfigError, type ConfigPath, type Mistake, type Problem, problemAt } from '../problem/problem.ts'
import { explainError, isUnclosed } from './yaml-mistakes.ts'

/** Most nodes that aliases may stand for, against documents that grow without bound when read. */
const MAX_ALIASES = 100

const YAML_OPTIONS = { version: '1.2', merge: true, stringKeys: true, prettyErrors: false, logLevel: 'silent' } as const

/** Of a file in which nothing stands, or `null`. */
export const EMPTY: Mistake = { reason: 'the file is empty', fix: 'Write a configuration into it.' }
const SECOND: Mistake = { reason: 'the file holds more than one YAML document', fix: 'Remove everything from the second --- on.' }
const LOST_ALIAS: Mistake = {
  reason: 'an alias (*) names no anchor before it',
  fix: 'Put the value into quotes if it is not an alias.',
}
const NO_MERGE: Mistake = {
  reason: 'a merge (<<) needs an alias (*) of a block of keys',
  fix: 'Write `<<: *name`, with `&name` before that block, or write its keys out.',
}
const NUL: Mistake = { reason: 'the file has NUL characters: it is UTF-16, or no text', fix: 'Save it as UTF-8.' }
const CR_ONLY: Mistake = { reason: 'the lines end in CR alone', fix: 'Save the file with the line ends LF or CRLF.' }
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
  const place = (mistake: Mistake, offset: number): Problem => ({
    ...problemAt([], mistake),
    position: positionOf(offset, lines),
  })
  // YAML 1.2 §5.1 has no NUL in a text.
  if (text.includes('\0')) throw new ConfigError([place(NUL, text.indexOf('\0'))])
  if (document === undefined) throw new ConfigError([problemAt([], EMPTY)])
  const errors = [
    ...withoutEchoes([...document.errors, ...document.warnings]).map((error) => {
      const { offset, ...mistake } = explainError(error, document, text)
      return place(mistake, offset)
    }),
    ...(second === undefined ? [] : [place(SECOND, second.range[0])]),
    ...findLostAliases(document).map((offset) => place(LOST_ALIAS, offset)),
  ]
  if (errors.length > 0 && /\r/.test(text) && !text.includes('\n')) throw new ConfigError([place(CR_ONLY, 0)])
  if (errors.length > 0) throw new ConfigError(firstOfEachLine(errors))
  return { value: readValue(document, place), findPosition: (at) => findPosition(document, at, lines) }
}

/** Without the errors that come of an earlier one, in the order in which they were found. */
function withoutEchoes(all: readonly YAMLError[]): YAMLError[] {
  const unclosed = all.findIndex(isUnclosed)
  const errors = unclosed < 0 ? all : all.slice(0, unclosed + 1)
  return errors.filter(
    (error, index) => !errors.slice(0, index).some((earlier) => isEcho(error, earlier)) && !isOfBlock(error, errors),
  )
}

/** Behind a bracket too many, each word is an error of its own; each level that is nested too deep is one as well. */
function isEcho(error: YAMLError, earlier: YAMLError): boolean {
  const isStray = ({ message }: YAMLError) => / in YAML stream/.test(message)
  return (isStray(error) && isStray(earlier)) || (error.code === 'RESOURCE_EXHAUSTION' && earlier.code === error.code)
}

/** In brackets, a comma that is missing at the end of a line is told as an error of indentation, too. */
function isOfBlock(error: YAMLError, errors: readonly YAMLError[]): boolean {
  const isThere = errors.some(({ code, pos }) => code === 'BLOCK_IN_FLOW' && pos[0] === error.pos[0])
  return error.code === 'MULTILINE_IMPLICIT_KEY' && isThere
}

function findLostAliases(document: Document): number[] {
  const lost: number[] = []
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) lost.push(alias.range?.[0] ?? 0)
    },
  })
  return lost
}

type Place = (mistake: Mistake, offset: number) => Problem

function readValue(document: Document, place: Place): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch {
    const merge = findWrongMerge(document)
    throw new ConfigError([merge === undefined ? problemAt([], TOO_MUCH) : place(NO_MERGE, merge)])
  }
}

/** Where a `<<` merges something else than blocks of keys. */
function findWrongMerge(document: Document): number | undefined {
  let found: number | undefined
  const isBlock = (node: unknown): boolean => isMap(isAlias(node) ? node.resolve(document) : node)
  visit(document, {
    Pair(_, { key, value }) {
      const isMerge = isScalar(key) && key.value === '<<'
      if (!isMerge || isBlock(value) || (isSeq(value) && value.items.every(isBlock))) return
      found ??= key.range?.[0]
    },
  })
  return found
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
