import { MCP_METHODS } from './mcp-methods.ts'

/** What a reader may ignore: marks on letters, blanks, and characters that show nothing. */
const IGNORED = /[\p{M}\p{C}\p{Z}]/gu
const NOT_ASCII = /[^\x00-\x7f]/

/** A method as the most lenient reader sees it: case and what can be ignored do not count, and letters of other forms are plain ones. */
export function foldMethod(method: string): string {
  return method.normalize('NFKD').replace(IGNORED, '').toUpperCase().toLowerCase()
}

const KNOWN: ReadonlyMap<string, string> = new Map([...MCP_METHODS].map((method) => [foldMethod(method), method]))

/**
 * The method of MCP that a lenient reader takes another one for. JSON-RPC compares methods letter by letter, but not every server does.
 *
 * @returns undefined for the methods of MCP themselves, and for what looks like none of them
 */
export function findMethodLookAlike(method: string): string | undefined {
  if (MCP_METHODS.has(method)) return undefined
  const folded = foldMethod(method)
  const same = KNOWN.get(folded)
  if (same !== undefined || !NOT_ASCII.test(folded)) return same
  for (const [form, known] of KNOWN) if (isSeenAs(folded, form)) return known
  return undefined
}

/**
 * Whether letters of other alphabets may be seen as those of a method: each for one, and not all of them.
 *
 * @param folded - see {@link foldMethod}, as is `form`
 */
export function isSeenAs(folded: string, form: string): boolean {
  if (folded === form) return true
  // No more than two code units each.
  if (folded.length > 2 * form.length) return false
  const letters = [...folded]
  const alike = letters.filter((letter, at) => letter === form[at]).length
  return letters.length === form.length && 2 * alike >= form.length && letters.every((letter, at) => isAlike(letter, form[at]))
}

function isAlike(letter: string, plain: string | undefined): boolean {
  return letter === plain || NOT_ASCII.test(letter)
}
