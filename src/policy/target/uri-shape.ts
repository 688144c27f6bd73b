/** A URI in its parts, as far as openers agree on them. */
export interface UriShape {
  /** In lower case; undefined where there is none. */
  readonly scheme: string | undefined
  /** What stands between `//` and the next `/`, `?` or `#`; undefined without `//`. */
  readonly authority: string | undefined
  /** Everything behind scheme and authority. */
  readonly rest: string
}

/** `*` may stand in the scheme of a pattern. A single letter is a drive. */
const SCHEME_AND_AUTHORITY = /^(\*|[A-Za-z*][A-Za-z0-9+.*-]+):(?:\/\/([^/?#]*))?/

/** @param uri - a URI or the pattern of one */
export function splitUri(uri: string): UriShape {
  const [whole = '', scheme, authority] = SCHEME_AND_AUTHORITY.exec(uri) ?? []
  return { scheme: scheme?.toLowerCase(), authority, rest: uri.slice(whole.length) }
}

/** The URI of the parts. An authority that is missing is written as an empty one (RFC 8089 §2: `file:/x` is `file:///x`). */
export function joinUri(scheme: string, authority: string, rest: string): string {
  return `${scheme}://${authority}${rest}`
}

/** Schemes in which the host says whom to ask. No opener ignores it, and none takes the rest for a path of a file system. */
export function isFetched(scheme: string | undefined): boolean {
  return scheme !== undefined && FETCHED.has(scheme)
}

const FETCHED: ReadonlySet<string> = new Set(['http', 'https', 'ws', 'wss'])

/** Where query or fragment begin. */
export function findSuffix(uri: string): number {
  const at = uri.search(/[?#]/)
  return at === -1 ? uri.length : at
}
