/** The text with a capital as its first letter: the beginning of a sentence, or a type named after a member. */
export function capitalize(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

/** The text with a full stop, unless it ends as a sentence: texts of other programs come with one and without. */
export function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
