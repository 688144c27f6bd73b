/**
 * A member name as the most lenient decoder sees it. Some compare names case-insensitively (Go's, cJSON); converting to upper case first
 * covers letters that Unicode folds to ASCII (ſ, K). And in C a string ends at its first NUL.
 */
export function foldKey(key: string): string {
  const end = key.indexOf('\0')
  return (end < 0 ? key : key.slice(0, end)).toUpperCase().toLowerCase()
}

/** Whether a lenient decoder takes one name for the other. */
export function looksLike(name: string, other: string): boolean {
  if (name === other) return true
  return !differsInAscii(name, other) && foldKey(name) === foldKey(other)
}

/**
 * Whether names differ before the first character that folding turns into several, or that ends a name. Tells most names apart without
 * folding them.
 */
function differsInAscii(name: string, other: string): boolean {
  for (let at = 0; at < name.length || at < other.length; at++) {
    // Behind its end a name has a character that no other has.
    const one = at < name.length ? name.charCodeAt(at) : END
    const two = at < other.length ? other.charCodeAt(at) : END
    if (one === 0 || two === 0 || one > 0x7f || two > 0x7f) return false
    if ((one | CASE_BIT) !== (two | CASE_BIT)) return true
  }
  return false
}

/** The case of an ASCII letter. */
const CASE_BIT = 0x20
/** No character code. */
const END = -1

/** Whether the name has a NUL, or a letter that folding may turn into others. */
export function mayChangeLength(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code === 0 || code > 0x7f) return true
  }
  return false
}
