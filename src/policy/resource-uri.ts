/**
 * A resource URI means what the upstream makes of it: it may parse it as a URL, undo escapes, resolve dot segments, take a backslash for
 * a slash. Rules are asked about every such reading, so that no spelling gets around one.
 */

/** More rounds of escaping than anyone undoes. */
const MAX_DECODING_ROUNDS = 5

export interface UriReadings {
  /** As sent, and without detours and escapes, one round after the other. A rule that permits must do so for each. */
  readonly same: readonly string[]
  /** Besides, without query and fragment, which an upstream may ignore. A rule that restricts may name one of these. */
  readonly bare: readonly string[]
}

/**
 * The readings of a resource URI.
 *
 * @param uri - as the client sent it
 */
export function readResourceUri(uri: string): UriReadings {
  const same = new Set([uri])
  const bare = new Set<string>()
  // A URL parser drops tabs and line breaks and reads `file:/x`, `%2e%2e` and the like in its own way; not every upstream has one.
  for (const start of new Set([uri, URL.parse(uri)?.href ?? uri])) {
    const { path, suffix } = splitSuffix(start)
    for (const plain of decodeRounds(path).flatMap(removeDetours)) {
      same.add(plain + suffix)
      bare.add(splitSuffix(plain).path)
    }
  }
  return { same: [...same], bare: [...bare] }
}

function splitSuffix(uri: string): { readonly path: string; readonly suffix: string } {
  const end = uri.search(/[?#]/)
  return end === -1 ? { path: uri, suffix: '' } : { path: uri.slice(0, end), suffix: uri.slice(end) }
}

/** The text, and what remains after each round of undoing escapes. */
function decodeRounds(text: string): readonly string[] {
  const rounds = [text]
  for (let decoded = decodeOnce(text); decoded !== rounds.at(-1) && rounds.length <= MAX_DECODING_ROUNDS; ) {
    rounds.push(decoded)
    decoded = decodeOnce(decoded)
  }
  return rounds
}

/** Byte by byte: what isn't an escape stays, and what isn't UTF-8 doesn't keep the rest from being read. */
export function decodeOnce(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}

const SCHEME_AND_HOST = /^(?:[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/[^/]*)?)?/

/**
 * Turns backslashes, resolves dot segments, drops empty segments, writes scheme and host in lower case. Two outcomes where it matters
 * whether `..` goes back over an empty segment, as in URLs (RFC 3986 §5.2.4), or over a name, as in file systems.
 */
function removeDetours(uri: string): readonly string[] {
  const slashed = uri.replaceAll('\\', '/')
  const prefix = SCHEME_AND_HOST.exec(slashed)?.[0] ?? ''
  const path = slashed.slice(prefix.length)
  return [resolveDots(path), resolveDots(path.replaceAll(/\/{2,}/g, '/'))].map((resolved) => prefix.toLowerCase() + resolved)
}

function resolveDots(path: string): string {
  const isAbsolute = path.startsWith('/')
  const segments = path.slice(isAbsolute ? 1 : 0).split('/')
  const kept: string[] = []
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  const names = kept.filter((segment) => segment !== '')
  const endsOpen = names.length > 0 && (last === '' || last === '.' || last === '..')
  return (isAbsolute ? '/' : '') + names.join('/') + (endsOpen ? '/' : '')
}
