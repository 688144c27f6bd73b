import { isIP } from 'node:net'
import type { Mistake } from '../problem/problem.ts'

/**
 * Whether the host of a URL, or of `host:port`, becomes an IPv4 address that is written otherwise: `010.0.0.1` is `8.0.0.1` to us and `10.0.0.1`
 * to its author, and `192.168` is `192.0.0.168` to us and a name, or a network, to others (WHATWG URL §3.5, "IPv4 parser").
 */
export function isAmbiguousAddress(text: string): boolean {
  const host = findHost(text)
  return isIP(URL.parse(`http://${host}`)?.hostname ?? '') === 4 && isIP(host.replace(/\.$/, '')) !== 4
}

/** The host as it is written, which may have credentials before it and a port behind it. */
function findHost(text: string): string {
  const authority = /^(?:[a-z][a-z\d+.-]*:\/\/)?([^/?#]*)/i.exec(text)?.[1] ?? ''
  return authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '')
}

/** Says nothing of what is written, which may hold a password. */
export const AMBIGUOUS_ADDRESS: Mistake = {
  reason: 'has an address that not all programs read the same way',
  fix: 'Write all four numbers of it in decimal, without leading zeros.',
}
