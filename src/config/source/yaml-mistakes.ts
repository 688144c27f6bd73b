import { type Document, isCollection, isScalar, type Node, type Range, visit, type YAMLError } from 'yaml'
import type { Mistake } from '../problem/problem.ts'

/** A mistake, and where in the text it is to be corrected. */
export interface PlacedMistake extends Mistake {
  readonly offset: number
}

const INDENT: Mistake = {
  reason: 'the indentation does not fit the lines around it',
  fix: 'Indent all keys of a block the same, with spaces; align the keys of a list item with its first key.',
}
const NAMELESS: Mistake = { reason: 'an alias (*) or an anchor (&) has no name', fix: 'Put the value into quotes.' }
const NO_COMMA: Mistake = { reason: 'a comma is missing between items', fix: 'Write a comma.' }
const NO_COLON: Mistake = {
  reason: 'a colon is missing after a key',
  fix: 'Write `key: value`, with a space after the colon.',
}
const NO_SPACE: Mistake = { reason: 'a space is missing after the colon of a key', fix: NO_COLON.fix }
const UNCLOSED_QUOTE: Mistake = {
  reason: 'the quote that begins here is not closed, or not on its line',
  fix: 'Close it at the end of the value.',
}
const UNKNOWN: Mistake = { reason: 'this is not YAML', fix: 'Correct the line; values with special characters need quotes.' }

/** Our own words: those of the library repeat what stands in the file. */
const MISTAKES: { readonly [Code in YAMLError['code']]?: Mistake } = {
  BAD_ALIAS: NAMELESS,
  BAD_DIRECTIVE: { reason: 'a line that begins with % is not understood', fix: 'Remove it: the file is read as YAML 1.2.' },
  BAD_DQ_ESCAPE: {
    reason: 'a backslash in double quotes is followed by something that cannot be escaped',
    fix: 'Use single quotes, in which a backslash is a plain character, or write two backslashes.',
  },
  BAD_INDENT: INDENT,
  BAD_SCALAR_START: { reason: 'a value begins with a reserved character (@, ` or %)', fix: 'Put the value into quotes.' },
  BLOCK_AS_IMPLICIT_KEY: {
    reason: 'a second key begins within a value',
    fix: 'Put a value that contains a colon and a space into quotes, or indent the next line like this key.',
  },
  BLOCK_IN_FLOW: {
    reason: 'a comma is missing between items, or a block is inside of [ ] or { }',
    fix: 'Write the comma, close the bracket, or use blocks throughout.',
  },
  KEY_OVER_1024_CHARS: {
    reason: 'a key is longer than 1024 characters',
    fix: 'Check that each quote or bracket before it is closed.',
  },
  NON_STRING_KEY: { reason: 'a key is not text', fix: 'Put it into quotes.' },
  RESOURCE_EXHAUSTION: { reason: 'blocks or brackets are nested too deep', fix: 'Nest them less.' },
  TAB_AS_INDENT: { reason: 'a tab is used to indent', fix: 'Indent with spaces.' },
  TAG_RESOLVE_FAILED: { reason: 'a tag (!) is not known', fix: 'Remove it, or put the value into quotes.' },
}

/** What the library means, by the beginning of its message. */
const BY_MESSAGE: readonly (readonly [message: RegExp, mistake: Mistake])[] = [
  [/^Sequence item without/, INDENT],
  [/^Missing closing/, UNCLOSED_QUOTE],
  [/^Implicit (?:map )?keys? need/, NO_COLON],
  [/^Missing , |^Missing \{?,/, NO_COMMA],
  [
    /^Unexpected flow-(?:seq|map)-end/,
    { reason: 'a closing bracket has no opening one', fix: 'Remove it, or write the opening one.' },
  ],
  [/^Unexpected , in/, { reason: 'a comma has no item before it', fix: 'Remove it, or write the item.' }],
  [/^Not a YAML token/, { reason: 'a text follows | or > on its line', fix: 'Begin the text on the next line, and indent it.' }],
  [
    /^Unexpected .* at node end/,
    { reason: 'a text follows the end of a value', fix: 'Put the whole value into quotes, or remove what follows.' },
  ],
]

/** An error of the library, in our words and at the place that has to be corrected. */
export function explainError(error: YAMLError, document: Document, text: string): PlacedMistake {
  const [offset] = error.pos
  const opened = findOpenQuote(error, document, text)
  if (opened !== undefined) return { ...UNCLOSED_QUOTE, offset: opened }
  if (isAboutBracket(error)) return explainBracket(document, text, offset)
  return { ...chooseMistake(error, text.slice(offset, offset + 80), isLineStart(text, offset)), offset }
}

/** Whether a quote or bracket is not closed: what follows is read as part of something else, and more errors come of that. */
export function isUnclosed(error: YAMLError): boolean {
  return isAboutBracket(error) || isAboutQuote(error)
}

function isAboutQuote({ message }: YAMLError): boolean {
  return message.startsWith('Missing closing')
}

/** Something stands behind a value that has ended. */
function isBehindValue({ message }: YAMLError): boolean {
  return /^Unexpected .* at node end/.test(message)
}

/** It is found where the next line cannot be part of it. */
function isAboutBracket({ message }: YAMLError): boolean {
  return /^Flow (?:map|sequence) /.test(message)
}

function explainBracket(document: Document, text: string, offset: number): PlacedMistake {
  const opened = findInnermost(document, ([start, end]) => start <= offset && end >= offset && /[[{]/.test(text[start] ?? ''))
  const start = opened?.[0] ?? offset
  const [opening, closing] = text[start] === '{' ? '{}' : '[]'
  return {
    reason: `the ${opening} is not closed`,
    fix: `Close it with ${closing}. If that stands further down, indent it and the lines before it.`,
    offset: start,
  }
}

/** Where a quote stands that is not closed, or that only the one closes which was meant to open the next text. */
function findOpenQuote(error: YAMLError, document: Document, text: string): number | undefined {
  const [offset] = error.pos
  const isOpen = isAboutQuote(error)
  if (!isOpen && !isBehindValue(error)) return undefined
  const found = findInnermost(document, ([start, end]) => {
    const isUpTo = end <= offset && text.slice(end, offset).trim() === ''
    return /["']/.test(text[start] ?? '') && isUpTo && (isOpen || text.slice(start, end).includes('\n'))
  })
  return found?.[0]
}

/** Where the last node that fits is, from its first character to behind its value. */
function findInnermost(document: Document, fits: (range: Range) => boolean): Range | undefined {
  let found: Range | undefined
  visit(document, {
    Node(_, node: Node) {
      if (!isScalar(node) && !isCollection(node)) return
      const { range } = node
      if (range && fits([range[0], range[1], range[2]])) found = range
    },
  })
  return found
}

function isLineStart(text: string, offset: number): boolean {
  return offset === 0 || text[offset - 1] === '\n'
}

function chooseMistake(error: YAMLError, rest: string, isAtLineStart: boolean): Mistake {
  const { code, message } = error
  if (code === 'DUPLICATE_KEY') return describeDuplicate(rest)
  if (code === 'MULTILINE_IMPLICIT_KEY' && isWithoutColon(rest)) return NO_COLON
  if (code === 'MULTILINE_IMPLICIT_KEY') return isWithoutSpace(rest) ? NO_SPACE : INDENT
  if (code === 'UNEXPECTED_TOKEN' && isAtLineStart && isBehindValue(error)) return INDENT
  return BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1] ?? MISTAKES[code] ?? UNKNOWN
}

function describeDuplicate(rest: string): Mistake {
  // Words as our keys are: anything else may be a secret.
  const key = /^["']?([a-z][a-z_]{0,39})["']?\s*:/.exec(rest)?.[1]
  return { reason: `${key === undefined ? 'a key' : `the key \`${key}\``} is given twice`, fix: 'Remove one of the two.' }
}

/** `key value`: a key of ours, and something behind it on the same line. */
function isWithoutColon(rest: string): boolean {
  const [line = ''] = rest.split(/\r?\n/, 1)
  return /^[a-z][a-z_]*[ \t]+\S/.test(line) && !/:(?:\s|$)/.test(line)
}

/** `key:value`, or with a no-break space, which is none to YAML. A URL has a colon of its own. */
function isWithoutSpace(rest: string): boolean {
  return /^[\w-]+:(?!\/)[^ \t\r\n]/.test(rest)
}
