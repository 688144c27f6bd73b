/** Quoted strings: methods, paths and names come again with every request. Bounded, since clients choose some of them. */
const quoted = new Map<string, string>()
const MAX_QUOTED = 2000
const MAX_QUOTED_LENGTH = 64

/** A string as JSON, for lines that are put together by hand. */
export function quoteJson(text: string): string {
  if (text.length > MAX_QUOTED_LENGTH) return JSON.stringify(text)
  const known = quoted.get(text)
  if (known !== undefined) return known
  const fresh = JSON.stringify(text)
  if (quoted.size < MAX_QUOTED) quoted.set(text, fresh)
  return fresh
}
