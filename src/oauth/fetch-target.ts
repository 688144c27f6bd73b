import { findAddressLiteral, isLoopbackHost, isPublicAddress } from '../core/addresses.ts'

/** A URL that is never fetched. No name is resolved to decide that. */
export class RefusedUrlError extends Error {
  override readonly name = 'RefusedUrlError'
}

/** Whose URL it is, and for whom it is fetched. */
interface Origin {
  /** Who named the URL: the configuration, or a document that the issuer published. */
  readonly namedBy: 'operator' | 'metadata'
  /** Issuer identifier; undefined where the URLs come from clients. */
  readonly issuer: string | undefined
}

/**
 * Reads a URL that is to be fetched.
 *
 * @throws RefusedUrlError
 */
export function parseTarget(url: string, { namedBy, issuer }: Origin): URL {
  const target = URL.parse(url)
  if (target === null) throw new RefusedUrlError('not an absolute URL')
  if (target.username !== '' || target.password !== '') throw new RefusedUrlError(`${target.host}: a URL with user information`)
  if (target.protocol === 'https:') return target
  if (target.protocol !== 'http:') throw new RefusedUrlError(`scheme ${target.protocol} is not fetched`)
  const isKnown = namedBy === 'operator' || isSameHost(target, issuer, 'http:') || isLoopbackHost(target.hostname)
  if (!isKnown) throw new RefusedUrlError(`${target.host}: https is needed`)
  return target
}

export function isSameHost(target: URL, issuer: string | undefined, protocol?: string): boolean {
  const own = issuer === undefined ? null : URL.parse(issuer)
  return own !== null && own.hostname === target.hostname && (protocol === undefined || own.protocol === protocol)
}

/**
 * Sockets don't resolve literal addresses, so they are checked here. A URL parser turns
 * `2130706433` and `0x7f.1` into `127.0.0.1`: such spellings are used to get past checks.
 *
 * @throws RefusedUrlError
 */
export function checkPublicLiteral(url: string, target: URL): void {
  const literal = findAddressLiteral(target.hostname)
  if (literal === undefined) return
  if (!url.toLowerCase().startsWith(`${target.protocol}//${target.hostname}`))
    throw new RefusedUrlError('an address in an unusual notation')
  if (!isPublicAddress(literal)) throw new RefusedUrlError(`${literal} is not a public address`)
}
