import { isIP } from 'node:net'
import { createAddressList } from '../core/address-list.ts'
import { findAddressLiteral } from '../core/addresses.ts'
import type { HostPattern } from '../core/plan/egress-plan.ts'

/** Where a connection leads, in the members of a `URL`; the port is empty where it is that of the scheme. */
export interface Destination {
  readonly protocol: string
  readonly hostname: string
  readonly port: string
}

/** @returns whether one of the patterns is about a destination */
export function createHostMatcher(patterns: readonly HostPattern[]): (to: Destination) => boolean {
  const networks = createAddressList(
    patterns.flatMap((pattern) => (pattern.kind === 'network' ? [`${pattern.address}/${pattern.prefix}`] : [])),
  )
  return (to) => {
    const host = normalizeHost(to.hostname)
    if (networks.has(host)) return true
    const port = findPort(to)
    return patterns.some((pattern) => matchesName(pattern, host, port))
  }
}

/** As patterns name a host: in lower case, without brackets and final dot. */
export function normalizeHost(hostname: string): string {
  return findAddressLiteral(hostname) ?? hostname.toLowerCase().replace(/\.$/, '')
}

export function findPort({ protocol, port }: Destination): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port
}

function matchesName(pattern: HostPattern, host: string, port: string): boolean {
  if (pattern.kind !== 'name') return pattern.kind === 'any'
  if (pattern.port !== undefined && pattern.port !== port) return false
  if (pattern.includes !== 'subdomains' && host === pattern.name) return true
  // The dot keeps `evilexample.com` out of `example.com`. An address has no subdomains.
  return pattern.includes !== 'itself' && isIP(host) === 0 && host.endsWith(`.${pattern.name}`)
}
