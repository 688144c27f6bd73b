import type { Work } from '../work.ts'
import { collectReadings } from './collect-readings.ts'
import { climbs } from './dot-segments.ts'
import { splitUri } from './uri-shape.ts'
import { commonSteps, cuttingSteps, trimBeginning, trimUri } from './uri-steps.ts'
import { hasDrive, hasLooseDrive } from './windows-names.ts'

/**
 * A resource URI means what the upstream makes of it. Rules are asked about every reading (see uri-steps.ts), so that no spelling gets
 * around one.
 */

/** What rules say of authorities and schemes, which decides how far openers may be expected to look at them. */
export interface NamedParts {
  /** Whether rules tell this authority from others of the scheme. Then the server does so, too. */
  hasAuthority(scheme: string, authority: string): boolean
  hasFiles: boolean
  /** Whether all of their files are on drives. */
  hasDrives: boolean
}

export interface UriReadings {
  /** The URI itself first, without what is trimmed at its beginning. At its end, a space may be part of a name. */
  readonly readings: readonly string[]
  /** Why the URI can't be judged; undefined when it can. */
  readonly problem: string | undefined
  /** Whether it may lead to any file. */
  readonly isBoundless: boolean
}

/** Longer than any file name (PATH_MAX is 4,096 bytes). */
const MAX_LENGTH = 8 * 1024

/**
 * The readings of a resource URI.
 *
 * @param uri - as the client sent it
 * @param parts - what rules say of authorities
 * @param work - what this may still cost
 */
export function readResourceUri(uri: string, parts: NamedParts, work: Work): UriReadings {
  if (uri.length > MAX_LENGTH) return refuse(uri, `is longer than ${MAX_LENGTH} characters`)
  const readings = collectReadings(trimBeginning(uri), [...commonSteps, ...cuttingSteps], parts.hasAuthority, work)
  if (readings === undefined) return refuse(uri, 'has too many readings')
  const problem = firstOf(readings, (reading) => findProblem(reading, parts))
  return { readings, problem, isBoundless: parts.hasFiles && readings.some((reading) => isBoundless(reading, parts)) }
}

function refuse(uri: string, problem: string): UriReadings {
  return { readings: [uri], problem, isBoundless: false }
}

/**
 * Where there is more `..` than path, it depends on the working directory of an opener that doesn't take the scheme off (`FILE:///../x`,
 * where it looks for `file://`). One that cuts off seven characters without looking makes anything of `file:/x/secret` and `/x`. One
 * that puts `file:////x` together again leaves an empty authority out, and so makes it `file://x` (Python's urlunsplit, which urldefrag
 * and urljoin call). On Windows, `/x` is on the drive that the process is on.
 */
function isBoundless(uri: string, { hasDrives }: NamedParts): boolean {
  const { scheme = 'file', authority, rest } = splitUri(uri)
  if (scheme !== 'file') return false
  if (authority === undefined || climbs(rest)) return true
  return authority === '' && (/^\/\/[^/]/.test(rest) || (hasDrives && !hasDrive(rest)))
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** Control characters end names (NUL, in C), vanish or stay: too many openers differ. Tabs, line breaks and both ends are steps. */
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/

function findProblem(reading: string, parts: NamedParts): string | undefined {
  if (CONTROL.test(trimUri(reading))) return 'has a control character'
  const { scheme = 'file', authority, rest } = splitUri(reading)
  if (scheme !== 'file' || !parts.hasFiles) return undefined
  // What an opener takes for a relative path depends on its working directory. With `file://` cut off, an authority begins one.
  if (authority === undefined) return /^(?:[A-Za-z]:)?[/\\]/.test(rest) ? undefined : 'is a relative path'
  if (parts.hasDrives && hasLooseDrive(rest)) return 'has a drive that depends on the opener'
  if (authority.toLowerCase() === 'localhost') return hasWayUp(rest) ? 'is a relative path' : undefined
  return authority === '' || parts.hasAuthority(scheme, authority) ? undefined : 'names another host, or a relative path'
}

/** Without one, nothing relative leads out of a directory that would have to be called `localhost`. */
function hasWayUp(path: string): boolean {
  return path.includes('..') || /%2e/i.test(path)
}
