import { decodeOddEscapes } from '../../core/odd-escapes.ts'
import { type DotReading, dotReadings, resolveDots } from './dot-segments.ts'
import { findSuffix, isFetched, joinUri, type UriShape } from './uri-shape.ts'
import { dropDevice, dropStream, hasDrive, tidyFileDrive } from './windows-names.ts'

/**
 * What openers do to a URI on the way to what they open. Each step returns the URI unchanged where there is nothing for it to do. A
 * reading is what any of these steps make of a URI, in any order and any number: that covers openers that decode before they parse, parse
 * twice, or leave a step out.
 */
export type Step = (uri: string, shape: UriShape) => string

/** Steps after which a different text names the same thing. They hold for rules as well. */
export const commonSteps: readonly Step[] = [
  // Escapes are undone (RFC 3986 §2.1), by form decoders also `+` (Java's URLDecoder, unquote_plus).
  decodeOnce,
  decodeNames,
  decodeOddEscapes,
  decodePlus,
  // Characters that vanish: line breaks and tabs anywhere, white space and control characters at both ends (WHATWG URL §4.4, urlparse).
  (uri) => (LINE_BREAKS.test(uri) ? uri.replaceAll(/[\t\r\n]/g, '') : uri),
  trimUri,
  // Characters that separate: a backslash on Windows and in URLs (WHATWG), but not on POSIX. Look-alikes where text is normalised.
  (uri) => (uri.includes('\\') ? uri.replaceAll('\\', '/') : uri),
  (uri) => (NOT_ASCII.test(uri) ? uri.normalize('NFKC') : uri),
  // Segments that go away, counted as URLs do and as file systems do, in the path alone or in all that stands behind the authority.
  ...dotReadings.flatMap((reading): Step[] => [
    (uri, shape) => resolvePath(uri, shape, findSuffix(uri), reading),
    (uri, shape) => (SUFFIX.test(uri) ? resolvePath(uri, shape, uri.length, reading) : uri),
  ]),
  // Windows drops spaces and dots at the end of names, and has several for a drive, a path and a file.
  trimNames,
  tidyFileDrive,
  dropDevice,
  dropStream,
  // Parts of the authority that make no difference.
  tidyAuthority,
  parseUrl,
  unwrapUrl,
  addScheme,
]

/** Steps that leave a part of the URI out. A rule that restricts means its own part. */
export const cuttingSteps: readonly Step[] = [
  (uri) => cutAt(uri, '?'),
  (uri) => cutAt(uri, '#'),
  // Parameters of a segment (RFC 3986 §3.3): servlets and urlparse take them off.
  (uri) => (uri.includes(';') ? uri.replaceAll(/;[^/]*/g, '') : uri),
  // Joining paths begins anew at an absolute one (os.path.join, path.resolve, URL references).
  // A root has no empty segments, so that the first or the last is where it was joined.
  (uri, shape) => restartAtEmptySegment(uri, shape, (path, from) => path.indexOf('//', from)),
  (uri, shape) => restartAtEmptySegment(uri, shape, (path) => path.lastIndexOf('//')),
  // So does a reference with a scheme of its own.
  restartAtScheme,
  // With the base's own scheme and no slash it is relative (WHATWG URL §4.4, urljoin).
  dropOwnScheme,
]

/** Steps of openers that look at the path alone. */
export const authorityBlindSteps: readonly Step[] = [
  (uri, shape) => dropAuthority(uri, shape, /[/?#]/),
  (uri, shape) => dropAuthority(uri, shape, /\//),
]

const SUFFIX = /[?#]/
const LINE_BREAKS = /[\t\r\n]/
const NOT_ASCII = /[^\x00-\x7f]/

/** Byte by byte: what isn't an escape stays, and what isn't UTF-8 doesn't keep the rest from being read. */
export function decodeOnce(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}

/** Everything but what separates parts (`decodeURI`), so that an escaped separator stays in a name while dots become dots. */
function decodeNames(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/(?:%(?!2[346bcf]|3[abdf]|40)[0-9a-f]{2})+/gi, decodeOnce)
}

/** A scheme may have one (`git+https:`), and would be none without. */
function decodePlus(uri: string, { scheme = '' }: UriShape): string {
  if (!uri.includes('+', scheme.length)) return uri
  return uri.slice(0, scheme.length) + uri.slice(scheme.length).replaceAll('+', ' ')
}

/** NUL ends a name elsewhere, so that it doesn't just vanish. */
export function trimUri(uri: string): string {
  const text = trimBeginning(uri)
  let end = text.length
  while (end > 0 && isTrimmed(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

export function trimBeginning(uri: string): string {
  let start = 0
  while (start < uri.length && isTrimmed(uri.charAt(start))) start++
  return uri.slice(start)
}

function isTrimmed(character: string): boolean {
  return character > '\0' && (character <= ' ' || character.trim() === '')
}

/** What dot segments, empty ones and a final slash have in common. */
const DETOUR = /\/(?:[/.?#]|%2e|$)|^(?:\.|%2e)/i

function resolvePath(uri: string, { rest }: UriShape, end: number, reading: DotReading): string {
  const start = uri.length - rest.length
  if (start >= end || !DETOUR.test(rest)) return uri
  return uri.slice(0, start) + resolveDots(uri.slice(start, end), reading) + uri.slice(end)
}

function trimNames(uri: string): string {
  if (!/[ .](?:[/?#]|$)/.test(uri)) return uri
  return uri.split('/').map(trimName).join('/')
}

function trimName(name: string): string {
  let end = name.length
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--
  if (end > 0) return name.slice(0, end)
  return name.startsWith('..') ? '..' : name.slice(0, 1).trim()
}

/** User information, the final dot of a host, and the two ways to name this machine (RFC 8089 §2). */
function tidyAuthority(uri: string, { scheme, authority, rest }: UriShape): string {
  if (scheme === undefined || authority === undefined) return uri
  const host = tidyHost(authority)
  return joinUri(scheme, scheme === 'file' && host === 'localhost' ? '' : host, rest)
}

function tidyHost(authority: string): string {
  const host = authority.slice(authority.lastIndexOf('@') + 1).toLowerCase()
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** A URL parser changes nothing in these. */
const PLAIN = /^(?:file|[a-gi-vx-z][a-z0-9+.-]*):\/\/[a-z-]*\/[\w/-]*$/

/** What a URL parser knows besides: default ports, hosts in other alphabets and numbers (WHATWG URL §4.4). */
function parseUrl(uri: string): string {
  if (PLAIN.test(uri)) return uri
  return URL.parse(uri)?.href ?? uri
}

/** Around a URL, or before it: Python's urllib.request, Java's URL, which also opens the archive that a `jar:` URL names. */
const WRAPPER = /^\s*(?:<\s*|(?:url|jar):\s*)+/i

function unwrapUrl(uri: string): string {
  return WRAPPER.test(uri) ? uri.replace(WRAPPER, '').replace(/>\s*$|!\/.*$/s, '') : uri
}

/** `note:x`, `note:/x` and `note:///x` for an opener that cuts the scheme off and takes the rest for a path. */
export function joinAuthority(uri: string, { scheme, authority, rest }: UriShape): string {
  if (scheme === undefined || isFetched(scheme)) return uri
  if (scheme === 'file') return joinFileAuthority(uri, authority, rest)
  return joinUri(
    scheme,
    '',
    resolveDots(`${authority ?? ''}${rest}`.replace(/^\/+/, ''), { isFileSystem: true, isEscaped: true }),
  )
}

/** `file:////server/share` is `file://server/share` (RFC 8089 appendix E.3.2). Relative paths of files cannot be judged at all. */
function joinFileAuthority(uri: string, authority: string | undefined, rest: string): string {
  if (authority === undefined) return rest.startsWith('/') ? joinUri('file', '', rest) : uri
  const host = tidyHost(authority)
  return host === '' || host === 'localhost' || host.includes('*') ? uri : joinUri('file', '', `/${host}${rest}`)
}

/** What has no scheme is a path. */
function addScheme(uri: string, { scheme }: UriShape): string {
  if (scheme !== undefined || uri.startsWith('*')) return uri
  return joinUri('file', '', uri.startsWith('/') ? uri : `/${uri}`)
}

function cutAt(uri: string, character: string): string {
  const at = uri.indexOf(character)
  return at === -1 ? uri : uri.slice(0, at)
}

function restartAtEmptySegment(
  uri: string,
  { scheme, authority, rest }: UriShape,
  find: (path: string, from: number) => number,
): string {
  if (scheme === undefined || authority === undefined || isFetched(scheme)) return uri
  // Without an authority, the first slash is the root itself.
  const from = authority === '' ? 1 : 0
  const at = find(rest.slice(0, findSuffix(rest)), from)
  return at < from ? uri : joinUri(scheme, '', rest.slice(at + 1).replaceAll(/\/{2,}/g, '/'))
}

function restartAtScheme(uri: string, { scheme, rest }: UriShape): string {
  if (scheme === undefined || isFetched(scheme)) return uri
  const below = scheme === 'file' && hasDrive(rest) ? rest.slice(1) : rest
  const own = /\/[A-Za-z][A-Za-z0-9+.-]*:\//.exec(below)
  return own === null ? uri : joinUri(scheme, '', below.slice(own.index + own[0].length - 1))
}

function dropOwnScheme(uri: string, { scheme, rest }: UriShape): string {
  if (scheme === undefined || !rest.includes(':')) return uri
  const relative = rest.replaceAll(/\/([A-Za-z][A-Za-z0-9+.-]*):/g, (whole, own: string) =>
    own.toLowerCase() === scheme ? '/' : whole,
  )
  return uri.slice(0, uri.length - rest.length) + relative
}

/** A URI that is nothing but an authority keeps it: `note://x` has no other name. */
function dropAuthority(uri: string, { scheme, authority, rest }: UriShape, end: RegExp): string {
  if (scheme === undefined || scheme.includes('*') || isFetched(scheme)) return uri
  const behind = `${authority ?? ''}${rest}`
  const at = authority === undefined ? 0 : behind.search(end)
  const path = at === -1 ? '' : behind.slice(at)
  return /[^/]/.test(path) ? joinUri(scheme, '', path.startsWith('/') ? path : `/${path}`) : uri
}
