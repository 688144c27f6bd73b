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
  // Drops tabs and line breaks, resolves `file:/x`, `%2e%2e` and the like, as most upstreams will.
  const url = URL.parse(uri)?.href ?? uri
  const { path, suffix } = splitSuffix(url)
  for (const decoded of decodeRounds(path)) {
    const plain = removeDetours(decoded)
    same.add(plain + suffix)
    bare.add(splitSuffix(plain).path)
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

/** Turns backslashes, resolves dot segments, drops empty segments, writes scheme and host in lower case. */
function removeDetours(uri: string): string {
  const slashed = uri.replaceAll('\\', '/')
  const prefix = SCHEME_AND_HOST.exec(slashed)?.[0] ?? ''
  return prefix.toLowerCase() + resolveDots(slashed.slice(prefix.length))
}

function resolveDots(path: string): string {
  const segments = path.split('/')
  const resolved: string[] = []
  for (const segment of segments) {
    if (segment === '..') resolved.pop()
    else if (segment !== '.' && segment !== '') resolved.push(segment)
  }
  const last = segments.at(-1)
  const endsOpen = resolved.length > 0 && (last === '' || last === '.' || last === '..')
  return (path.startsWith('/') ? '/' : '') + resolved.join('/') + (endsOpen ? '/' : '')
}
