/** Decides whether a resource URI fits a pattern. */
export type MatchUri = (uri: string) => boolean

const SLASH = '/'.charCodeAt(0)
/** Any characters of one path segment. */
const STAR = -1
/** Any characters at all. */
const GLOBSTAR = -2

/**
 * Compiles the pattern of a resource URI. `*` stands for any characters except `/`, `**` for any characters; also none. Takes time in
 * proportion to the URI for a given pattern: all ways to fit are followed at once, none is tried again.
 *
 * @param pattern - for example `file:///reports/**`
 */
export function compileUriPattern(pattern: string): MatchUri {
  const star = pattern.indexOf('*')
  if (star === -1) return (uri) => uri === pattern
  const prefix = pattern.slice(0, star)
  const tokens = parseTokens(pattern.slice(star))
  const isTree = tokens.length === 1 && tokens[0] === GLOBSTAR
  return (uri) => uri.startsWith(prefix) && (isTree || fits(tokens, uri, prefix.length))
}

/** Character codes and wildcards. Three stars and more are two. */
function parseTokens(pattern: string): readonly number[] {
  const pieces = pattern.match(/\*+|[^*]/gs) ?? []
  return pieces.map((piece) => (piece.startsWith('*') ? (piece.length > 1 ? GLOBSTAR : STAR) : piece.charCodeAt(0)))
}

/** Follows every way in which the tokens can fit: `active[i]` says that the text so far is used up by the first `i` tokens. */
function fits(tokens: readonly number[], text: string, start: number): boolean {
  let active = new Uint8Array(tokens.length + 1)
  let next = new Uint8Array(tokens.length + 1)
  active[0] = 1
  skipEmptyWildcards(tokens, active)
  for (let position = start; position < text.length; position++) {
    next.fill(0)
    if (!step(tokens, active, next, text.charCodeAt(position))) return false
    skipEmptyWildcards(tokens, next)
    ;[active, next] = [next, active]
  }
  return active[tokens.length] === 1
}

/** Uses up one character. Returns whether any way is left. */
function step(tokens: readonly number[], active: Uint8Array, next: Uint8Array, code: number): boolean {
  let isAlive = false
  tokens.forEach((token, index) => {
    if (active[index] !== 1) return
    if (token === code) next[index + 1] = 1
    else if (token === GLOBSTAR || (token === STAR && code !== SLASH)) next[index] = 1
    else return
    isAlive = true
  })
  return isAlive
}

/** A wildcard may also stand for nothing. */
function skipEmptyWildcards(tokens: readonly number[], active: Uint8Array): void {
  tokens.forEach((token, index) => {
    if (active[index] === 1 && token < 0) active[index + 1] = 1
  })
}
