import { compileNamePattern } from '../../core/name-pattern.ts'
import { createWork, type Work } from '../work.ts'
import { collectReadings } from './collect-readings.ts'
import type { NamedParts } from './resource-uri.ts'
import { compileUriPattern, type MatchUri } from './uri-pattern.ts'
import { isFetched, joinUri, splitUri, type UriShape } from './uri-shape.ts'
import { commonSteps, cuttingSteps, decodeOnce, type Step } from './uri-steps.ts'
import { hasDrive, tidyDrive } from './windows-names.ts'

/** The pattern of a resource URI, ready to be compared with readings. */
export interface ResourcePattern {
  /** Whether a reading is what the pattern restricts: without regard to case, which some file systems ignore. */
  restricts(folded: string, work: Work): boolean
  /** Whether something that begins like this may be what the pattern restricts. */
  mayRestrict(foldedBeginning: string): boolean
  /** Whether everything that begins like this is what the pattern restricts. */
  coversBeginning(foldedBeginning: string): boolean
  /** Whether the URI is what the pattern names, as both are written. */
  names(uri: string, work: Work): boolean
  /** Whether a reading of such a URI still is one of the pattern. */
  namesReading(reading: string, work: Work): boolean
}

/** @param pattern - as it was configured */
export function compileResourcePattern(pattern: string): ResourcePattern {
  const written = normalizeWritten(pattern)
  const restricted = withDirectories(readPattern(written, commonSteps)).flatMap(withoutFolders).map(foldCase)
  const opened = withDirectories(readPattern(written, [...commonSteps, ...cuttingSteps]))
  const beginnings = restricted.map((reading) => reading.split('*', 1)[0] ?? '')
  const boundless = restricted.flatMap((reading) => findBoundlessBeginning(reading) ?? [])
  return {
    restricts: fitAny(restricted),
    mayRestrict: (beginning) => beginnings.some((own) => own.startsWith(beginning) || beginning.startsWith(own)),
    coversBeginning: (beginning) => boundless.some((own) => beginning.startsWith(own)),
    names: asWritten(fitAny([...new Set([written, decodeOnce(written)])].flatMap(withoutFolders))),
    namesReading: normalized(fitAny(opened)),
  }
}

/** What stands before `**`, where nothing stands after it. */
function findBoundlessBeginning(pattern: string): string | undefined {
  const [beginning = ''] = pattern.split('*', 1)
  const stars = pattern.slice(beginning.length)
  return stars.length >= 2 && stars.replaceAll('*', '') === '' ? beginning : undefined
}

/** Characters that a file system skips (HFS+, TN1150): they are invisible. */
const SKIPPED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/**
 * What is compared without regard to case, and to how accents are written (Unicode NFC). By way of upper case and back, since some
 * letters share theirs (`ß` and `SS`, both forms of sigma).
 */
export function foldCase(reading: string): string {
  if (!/[^\x00-\x7f]/.test(reading)) return reading.toLowerCase()
  const upper = reading.replaceAll(SKIPPED, '').replaceAll('ẞ', 'ß').normalize('NFC').toUpperCase()
  return upper.toLowerCase().replaceAll('ς', 'σ').normalize('NFC')
}

/** What rules tell apart, for reading URIs. */
export function listNamedParts(patterns: readonly string[]): NamedParts {
  const shapes = patterns.map((pattern) => splitUri(normalizeWritten(pattern)))
  const authorities = shapes.map(({ scheme, authority = '' }) => ({
    scheme,
    match: compileUriPattern(authority.toLowerCase()),
    authority,
  }))
  const named = authorities.filter(({ authority }) => authority !== '' && !/^\*+$/.test(authority))
  const files = shapes.filter(isAboutFiles)
  return {
    hasFiles: files.length > 0,
    hasDrives: files.some(isOnDrive) && files.every((shape) => isOnDrive(shape) || /^\/?\*/.test(shape.rest)),
    hasAuthority: (scheme, authority) =>
      named.some((own) => own.scheme === scheme && own.match(authority.toLowerCase(), createWork())),
  }
}

/** Patterns that begin with a wildcard may be about files, too, and what has no scheme is a path. `**` is about everything alike. */
function isAboutFiles(shape: UriShape): boolean {
  const { scheme, rest } = shape
  if (scheme !== undefined) return compileNamePattern(scheme)('file')
  return (/^[/*]/.test(rest) || isOnDrive(shape)) && !/^\*+$/.test(rest)
}

/** `C:/x` and `file:C:/x` name the same file as `file:///C:/x` (RFC 8089 appendix E.2). */
function isOnDrive({ rest }: UriShape): boolean {
  return hasDrive(rest) || hasDrive(`/${rest}`)
}

/** Every URL parser and file system agrees on these: case of scheme and host, default ports, this machine, `file:/x`, and how a drive is written. */
function normalizeWritten(uri: string): string {
  const { scheme, authority, rest } = splitUri(uri)
  if (scheme === undefined) return uri
  if (scheme === 'file') return normalizeFile(authority, rest)
  if (authority === undefined) return `${scheme}:${rest}`
  const path = isFetched(scheme) && !rest.startsWith('/') ? `/${rest}` : rest
  return joinUri(scheme, normalizeAuthority(scheme, authority), path)
}

function normalizeFile(authority: string | undefined, rest: string): string {
  if (authority === undefined && !rest.startsWith('/')) return `file:${rest}`
  return joinUri('file', normalizeAuthority('file', authority ?? ''), tidyDrive(rest))
}

/** The authority of another scheme may be an identifier with a case of its own. */
function normalizeAuthority(scheme: string, authority: string): string {
  const host = authority.toLowerCase()
  if (isFetched(scheme)) return host.replace(DEFAULT_PORTS[scheme] ?? '', '')
  if (scheme !== 'file') return authority
  return host === 'localhost' ? '' : host
}

const DEFAULT_PORTS: Readonly<Record<string, RegExp>> = {
  http: /:(?:80)?$/,
  ws: /:(?:80)?$/,
  https: /:(?:443)?$/,
  wss: /:(?:443)?$/,
}

function asWritten(match: MatchUri): MatchUri {
  const fits = normalized(match)
  return (uri, work) => fits(uri, work) || fits(decodeOnce(uri), work)
}

function normalized(match: MatchUri): MatchUri {
  return (uri, work) => match(uri, work) || match(normalizeWritten(uri), work)
}

function readPattern(pattern: string, steps: readonly Step[]): readonly string[] {
  const readings = collectReadings(pattern, steps, () => false, { left: Number.POSITIVE_INFINITY })
  // The configuration was checked for such patterns.
  if (readings === undefined) throw new Error(`the pattern ${JSON.stringify(pattern)} has too many readings`)
  return readings
}

/** Opening a directory tells what is in it. */
function withDirectories(readings: readonly string[]): readonly string[] {
  return [...new Set(readings.flatMap((reading) => [reading, reading.replace(/\/\**$/, '')]))]
}

const FOLDERS = /\/\*{2,}(?=\/)/g
/** Each doubles the patterns. */
const MAX_FOLDERS = 4

// Between slashes, two stars stand for no folder as well in shells and in `.gitignore`: a rule about `.env` in `**` below `/srv` is meant for
// `/srv/.env`, too. Where they stand often, the pattern is about more than it says.
function withoutFolders(pattern: string): readonly string[] {
  const places = [...pattern.matchAll(FOLDERS)]
  if (places.length > MAX_FOLDERS) return [pattern.replaceAll(/\/(?:\*{2,}\/)+/g, '/**')]
  let all = [pattern]
  // From behind, so that places stay where they are.
  for (const { 0: folders, index } of places.toReversed())
    all = all.flatMap((one) => [one, one.slice(0, index) + one.slice(index + folders.length)])
  return all
}

function fitAny(patterns: readonly string[]): MatchUri {
  const matches = patterns.map(compileUriPattern)
  return (uri, work) => matches.some((match) => match(uri, work))
}
