import { climbs } from './dot-segments.ts'
import { splitUri, type UriShape } from './uri-shape.ts'
import { authorityBlindSteps, commonSteps, cuttingSteps, type Step, trimUri } from './uri-steps.ts'
import { spend, type Work } from './work.ts'

/**
 * A resource URI means what the upstream makes of it. Rules are asked about every reading (see uri-steps.ts), so that no spelling gets
 * around one.
 */

/** What rules say of authorities and schemes, which decides how far openers may be expected to look at them. */
export interface NamedParts {
  /** Whether rules tell this authority from others of the scheme. Then the server does so, too. */
  hasAuthority(scheme: string, authority: string): boolean
  hasFiles: boolean
}

export interface UriReadings {
  /** The URI itself first, without what is trimmed at its ends. */
  readonly readings: readonly string[]
  /** Why the URI can't be judged; undefined when it can. */
  readonly flaw: string | undefined
  /** Whether it may lead to any file. */
  readonly isBoundless: boolean
}

/** Longer than any file name (PATH_MAX is 4,096 bytes). */
const MAX_LENGTH = 8 * 1024
/** An ordinary URI has fewer than twenty. */
const MAX_READINGS = 256

/**
 * The readings of a resource URI.
 *
 * @param uri - as the client sent it
 * @param parts - what rules say of authorities
 * @param work - what this may still cost
 */
export function readResourceUri(uri: string, parts: NamedParts, work: Work): UriReadings {
  if (uri.length > MAX_LENGTH) return refuse(uri, `is longer than ${MAX_LENGTH} characters`)
  const blind = authorityBlindSteps.map(
    (step): Step =>
      (text, shape) =>
        isTold(shape, parts) ? text : step(text, shape),
  )
  const readings = collectReadings(trimUri(uri), [...commonSteps, ...cuttingSteps, ...blind], work)
  if (readings === undefined) return refuse(uri, 'has too many readings')
  const flaw = firstOf(readings, (reading) => findFlaw(reading, parts))
  return { readings, flaw, isBoundless: parts.hasFiles && readings.some(isBoundless) }
}

function refuse(uri: string, flaw: string): UriReadings {
  return { readings: [uri], flaw, isBoundless: false }
}

/**
 * Where there is more `..` than path, it depends on the working directory of an opener that doesn't take the scheme off (`FILE:///../x`,
 * where it looks for `file://`). One that cuts off seven characters without looking makes anything of `file:/x/secret` and `/x`.
 */
function isBoundless(uri: string): boolean {
  const { scheme = 'file', authority, rest } = splitUri(uri)
  return scheme === 'file' && (authority === undefined || climbs(rest))
}

/** What the steps make of a text, each of every result; undefined when that is too much. */
export function collectReadings(text: string, steps: readonly Step[], work: Work): readonly string[] | undefined {
  const found = new Set([text])
  for (const reading of found) {
    spend(work, (reading.length + 32) * WORK_PER_CHARACTER)
    if (found.size > MAX_READINGS || work.left < 0) return undefined
    const shape = splitUri(reading)
    for (const step of steps) found.add(step(reading, shape))
  }
  return [...found]
}

/** All steps together look at a character about as often. */
const WORK_PER_CHARACTER = 8

function isTold({ scheme, authority }: UriShape, parts: NamedParts): boolean {
  return scheme !== undefined && scheme !== 'file' && authority !== undefined && parts.hasAuthority(scheme, authority)
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

function findFlaw(reading: string, parts: NamedParts): string | undefined {
  if (CONTROL.test(trimUri(reading))) return 'has a control character'
  const { scheme = 'file', authority, rest } = splitUri(reading)
  if (scheme !== 'file' || !parts.hasFiles) return undefined
  // What an opener takes for a relative path depends on its working directory. With `file://` cut off, an authority begins one.
  if (authority === undefined) return /^[/\\]/.test(rest) ? undefined : 'is a relative path'
  if (authority.toLowerCase() === 'localhost') return hasWayUp(rest) ? 'is a relative path' : undefined
  return authority === '' || parts.hasAuthority(scheme, authority) ? undefined : 'names another host, or a relative path'
}

/** Without one, nothing relative leads out of a directory that would have to be called `localhost`. */
function hasWayUp(path: string): boolean {
  return path.includes('..') || /%2e/i.test(path)
}
