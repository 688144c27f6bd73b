import { isIP } from 'node:net'
import { createAddressList } from './address-list.ts'

/**
 * What is not the public internet (IANA special-purpose address registries). For IPv6 everything outside 2000::/3 counts as well, which
 * covers loopback, link-local, unique local, multicast, IPv4-mapped and NAT64 addresses.
 */
const SPECIAL_PURPOSE = createAddressList([
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT
  '127.0.0.0/8', // LOOPBACK
  '169.254.0.0/16', // link-local; cloud metadata lives here
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '2001::/23', // protocol assignments: Teredo, ORCHID, benchmarks
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4 wraps any IPv4 address
  '3fff::/20', // documentation
])

const GLOBAL_UNICAST = createAddressList(['2000::/3'])
const LOOPBACK = createAddressList(['127.0.0.0/8', '::1/128'])

/**
 * @param address - an IP address in text form
 * @returns whether it belongs to the public internet; false for anything that is no address
 */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 4) return !SPECIAL_PURPOSE.has(address)
  // A zone (`fe80::1%eth0`) only exists on links, never on the internet.
  if (version !== 6 || address.includes('%')) return false
  return GLOBAL_UNICAST.has(address) && !SPECIAL_PURPOSE.has(address)
}

/**
 * @param hostname - as `URL.hostname` gives it, with or without brackets
 * @returns whether the name stands for this machine itself (RFC 6761 §6.3, RFC 8252 §8.3)
 */
export function isLoopbackHost(hostname: string): boolean {
  const host = findAddressLiteral(hostname) ?? hostname.toLowerCase()
  if (isIP(host) !== 0) return LOOPBACK.has(host)
  return host === 'localhost' || host.endsWith('.localhost')
}

/** The address that a `URL.hostname` is, without brackets; undefined for a name. */
export function findAddressLiteral(hostname: string): string | undefined {
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(host) === 0 ? undefined : host
}
