/** Columns that every terminal has. */
export const WIDTH = 80

/**
 * Breaks a text between words.
 *
 * @param width - characters of a line; a word that is longer gets a line of its own
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/**
 * Breaks a line between words, for a terminal of 80 columns.
 *
 * @param column - where its further lines begin, by default as far in as the line itself
 */
export function wrapHanging(line: string, column = line.length - line.trimStart().length): string[] {
  const text = line.trimStart()
  const [first = '', ...rest] = wrap(text, WIDTH - column)
  return [line.slice(0, line.length - text.length) + first, ...rest.map((part) => ' '.repeat(column) + part)]
}
