import { join, normalize, posix, resolve } from 'node:path'
import { fileURLToPath, parse } from 'node:url'

/** Makes the path that a server opens of a URI; throws or returns undefined where it would not open anything. */
export type Opener = (uri: string) => string | undefined

/** Directory of the server's own root, for openers that put what a client names below it. */
export const root = '/srv/public'

/** Ways in which servers on Node open `file:` URIs. */
export const nodeOpeners: Readonly<Record<string, Opener>> = {
  'fileURLToPath(new URL(uri))': (uri) => fileURLToPath(new URL(uri)),
  'decodeURIComponent(new URL(uri).pathname)': (uri) => decodeURIComponent(new URL(uri).pathname),
  'new URL(uri).pathname': (uri) => new URL(uri).pathname,
  'new URL(decodeURIComponent(uri)).pathname': (uri) => new URL(decodeURIComponent(uri)).pathname,
  'decoded twice': (uri) => decodeURIComponent(decodeURIComponent(new URL(uri).pathname)),
  'url.parse(uri).pathname': (uri) => decodeURIComponent(parse(uri).pathname ?? ''),
  'uri.slice(7)': (uri) => uri.slice(7),
  "uri.replace('file://', '')": (uri) => uri.replace('file://', ''),
  'decodeURIComponent(uri.slice(7))': (uri) => decodeURIComponent(uri.slice(7)),
  'path.normalize(decoded)': (uri) => normalize(decodeURIComponent(uri.replace(/^file:\/\//, ''))),
  'without query': (uri) => decodeURIComponent(uri.replace(/^file:\/\//, '').split(/[?#]/)[0] ?? ''),
  'path.resolve(root, rest)': (uri) => resolve(root, decodeURIComponent(cutRoot(uri))),
  'path.join(root, rest)': (uri) => join(root, decodeURIComponent(cutRoot(uri))),
  'new URL(rest, root)': (uri) => fileURLToPath(new URL(cutRoot(uri), `file://${root}/`)),
  'without fragment, put together again': (uri) => decodeURIComponent(dropFragment(uri).replace(/^file:\/\//, '')),
  'trimmed and cut': (uri) => decodeURIComponent(uri.trim().replace(/^file:\/*/i, '/')).replaceAll('\\', '/'),
}

/** As Python's urldefrag does it, to which an empty authority is none. */
function dropFragment(uri: string): string {
  return uri.includes('#') ? uri.replace(/#.*$/s, '').replace(/^([a-z]+):\/\/(?=\/\/)/i, '$1:') : uri
}

function cutRoot(uri: string): string {
  const prefix = `file://${root}/`
  if (!uri.startsWith(prefix)) throw new Error('not below the root')
  return uri.slice(prefix.length)
}

/** What an opener in another language may do on its way, one choice of each. */
const choices: readonly (readonly Opener[])[] = [
  [same, decode, (uri) => decode(decode(uri)), (uri) => uri.replaceAll('+', ' ')],
  [same, (uri) => uri.trim(), (uri) => uri.replaceAll(/[\t\r\n]/g, '').trim()],
  [same, (uri) => uri.replaceAll('\\', '/')],
  [same, (uri) => uri.replace(/#.*$/s, ''), (uri) => uri.replace(/[?#].*$/s, '')],
  [cutScheme, (uri) => uri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, ''), (uri) => uri.replace(/^file:\/*/i, '/')],
  [same, decode, (path) => decode(path.replaceAll('+', ' ')), (path) => path.replaceAll(/;[^/]*/g, '')],
  [same, posix.normalize, (path) => decode(posix.normalize(path)), (path) => path.trim()],
]

function same(text: string): string {
  return text
}

function decode(text: string): string {
  return decodeURIComponent(text)
}

function cutScheme(uri: string): string {
  return uri.replace(/^file:\/\//i, '')
}

/** Every combination of the choices. */
export function* combineChoices(rest = choices): Generator<Opener> {
  const [first, ...others] = rest
  if (first === undefined) return yield same
  for (const step of first) {
    for (const following of combineChoices(others)) yield (uri) => following(step(uri) ?? '')
  }
}

/** Directories that a relative path may be relative to. */
const workingDirectories = ['/', '/srv', '/srv/public', '/srv/public/a']

/** A scheme or host that an opener left is a directory that isn't there. */
const NO_NAME = /^\/*(?:[a-z]+:|localhost\/)/i

/** What the operating system makes of a path: everything that it may mean. NUL cannot be in one. */
export function resolvePath(path: string): readonly string[] {
  if (path.includes('\0') || path === '' || NO_NAME.test(path)) return []
  return path.startsWith('/') ? [posix.resolve(path)] : workingDirectories.map((directory) => posix.resolve(directory, path))
}

/** Opens without complaint. */
export function tryOpen(opener: Opener, uri: string): readonly string[] {
  try {
    return resolvePath(opener(uri) ?? '')
  } catch {
    return []
  }
}
