import { isIP } from 'node:net'

/** Leading bits that addresses of one network have in common: one subscriber, one site, one provider. */
const WIDTHS = {
  ipv4: [32, 24, 16],
  /** Each subscriber has at least 2^64 addresses, and often 2^80 (RFC 4291 §2.5.4, RFC 6177 §2). */
  ipv6: [64, 48, 32],
} as const

/**
 * The networks that an address lies in, the narrowest first.
 *
 * @param address - any other text counts as a network of its own
 */
export function listNetworks(address: string): readonly [string, ...string[]] {
  const groups = parseGroups(address)
  if (groups === undefined) return [address]
  const [subscriber, ...wider] = groups.length === 4 ? WIDTHS.ipv4 : WIDTHS.ipv6
  const nameNetwork = (bits: number) =>
    `${groups.slice(0, (bits * groups.length) / (groups.length === 4 ? 32 : 128)).join('.')}/${bits}`
  return [nameNetwork(subscriber), ...wider.map(nameNetwork)]
}

/** @returns four numbers of an IPv4 address, eight of an IPv6 address; undefined for what is neither */
function parseGroups(address: string): readonly string[] | undefined {
  if (isIP(address) === 4) return address.split('.')
  if (isIP(address) !== 6) return undefined
  const short = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [head = '', tail] = short.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0')
  const groups = [...first, ...zeros, ...last]
  // Loopback, and IPv4 addresses as IPv6 writes them (RFC 4291 §2.5.5).
  return groups.slice(0, 5).every((group) => group === '0') ? readEmbedded(groups) : groups
}

function readEmbedded([, , , , , , high = '0', low = '0']: readonly string[]): string[] {
  return [high, low].flatMap((group) => {
    const bits = Number.parseInt(group, 16)
    return [String(bits >> 8), String(bits & 255)]
  })
}
