/** A longer text is parsed sooner than it is searched. */
const MAX_SEARCHED = 16 * 1024

/** Letters that lenient decoders take for an ASCII one (`foldKey` of core/json/lenient-key.ts). */
const LOOK_ALIKES: Readonly<Record<string, string>> = { i: '\u0131', k: '\u212a', s: '\u017f' }

/**
 * Creates a quick search for names in a JSON text. Most answers hold no list, so that they need not be parsed.
 *
 * @param names - ASCII letters
 * @returns whether the text may hold one of the names in any reading: written in another case, with letters that look like it, or with
 *   escapes; true also for what does not look like JSON, or is long
 */
export function createNameSearch(names: Iterable<string>): (text: string) => boolean {
  const named = new RegExp([...names].map((name) => [...name].map(formatLetter).join('')).join('|'))
  return (text) => {
    if (text.length > MAX_SEARCHED || !isEnclosed(text)) return true
    return named.test(text) || (text.includes('\\') && LETTER_ESCAPE.test(text))
  }
}

function formatLetter(letter: string): string {
  const lower = letter.toLowerCase()
  return `[${lower}${lower.toUpperCase()}${LOOK_ALIKES[lower] ?? ''}]`
}

/**
 * An escape that may stand for a letter, or that JSON does not know. Not among them: those of JSON that stand for one character each, and
 * those of ASCII punctuation (`\u003c`), as some encoders write it.
 */
const LETTER_ESCAPE = /\\(?!["\\/bfnrt]|u00[23][\da-fA-F])/

const SPACE = /[ \t\r\n]/

/** What is cut off, or is no JSON, is for the parser to refuse. */
function isEnclosed(text: string): boolean {
  let last = text.length - 1
  while (SPACE.test(text[last] ?? '')) last--
  return (text[last] === '}' || text[last] === ']') && /^[ \t\r\n]*[{[]/.test(text)
}
