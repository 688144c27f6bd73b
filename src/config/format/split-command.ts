import type { Mistake } from '../problem/problem.ts'

/** Characters that mean something to a shell where they stand unquoted, and what. */
const SHELL_CHARACTERS: Readonly<Record<string, string>> = {
  '|': 'a pipe',
  '&': '`&`',
  ';': 'several commands',
  '<': 'a redirection',
  '>': 'a redirection',
  '(': 'a subshell',
  ')': 'a subshell',
  '`': 'a command in a command',
  $: 'a variable or a command in a command',
  '*': 'a pattern of file names',
  '?': 'a pattern of file names',
  '[': 'a pattern of file names',
  '{': 'an expansion',
  '\n': 'several lines',
}

/**
 * Splits a command into words as a POSIX shell would, without running one: blanks separate, quotes and backslashes protect.
 *
 * @param text - the command
 * @returns the words, or what is wrong: what only a shell could carry out is refused, never passed on as it stands
 */
export function splitCommand(text: string): readonly string[] | Mistake {
  const words: string[] = []
  let word: string | undefined
  let at = 0
  while (at < text.length) {
    const character = text.charAt(at)
    if (/[ \t\r]/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
      at++
      continue
    }
    const piece = readPiece(text, at, word === undefined)
    if ('reason' in piece) return piece
    word = (word ?? '') + piece.text
    at = piece.end
  }
  if (word !== undefined) words.push(word)
  return checkWords(words, text)
}

interface Piece {
  readonly text: string
  readonly end: number
}

/** Reads a quoted part, an escaped character or a plain one. */
function readPiece(text: string, at: number, isFirst: boolean): Piece | Mistake {
  const character = text.charAt(at)
  if (character === "'") return readSingleQuoted(text, at)
  if (character === '"') return readDoubleQuoted(text, at)
  if (character === '\\') {
    const next = text.charAt(at + 1)
    return next === '' ? { reason: 'ends with a backslash', fix: 'Remove it.' } : { text: next === '\n' ? '' : next, end: at + 2 }
  }
  if (isFirst && (character === '~' || character === '#')) return needsShell(character === '~' ? 'a home directory' : 'a comment')
  const meaning = SHELL_CHARACTERS[character]
  return meaning === undefined ? { text: character, end: at + 1 } : needsShell(meaning)
}

function readSingleQuoted(text: string, at: number): Piece | Mistake {
  const end = text.indexOf("'", at + 1)
  return end < 0 ? unclosed("'") : { text: text.slice(at + 1, end), end: end + 1 }
}

function readDoubleQuoted(text: string, at: number): Piece | Mistake {
  let read = ''
  for (let i = at + 1; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '"') return { text: read, end: i + 1 }
    if (character === '$' || character === '`') return needsShell('a variable or a command in a command')
    const next = text.charAt(i + 1)
    const isEscape = character === '\\' && '"\\$`\n'.includes(next) && next !== ''
    read += isEscape ? (next === '\n' ? '' : next) : character
    if (isEscape) i++
  }
  return unclosed('"')
}

function checkWords(words: readonly string[], text: string): readonly string[] | Mistake {
  const [program] = words
  if (program === undefined || program === '')
    return { reason: 'names no program', fix: 'Write the command, for example npx -y server.' }
  if (/^[A-Za-z_]\w*=/.test(program) && text.trimStart().startsWith(program.slice(0, 1)))
    return { reason: 'begins with an assignment, which is for a shell', fix: 'Set the variable under `env`.' }
  return words
}

function needsShell(what: string): Mistake {
  return {
    reason: `needs a shell (${what}), and none is run`,
    fix: 'Quote it if it is meant literally, write the command as a list, or name the shell: ["sh", "-c", "…"].',
  }
}

function unclosed(quote: string): Mistake {
  return { reason: `has a ${quote} that is not closed`, fix: 'Close it, or put a backslash before it.' }
}
