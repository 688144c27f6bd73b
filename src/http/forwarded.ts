import { BlockList, isIP } from 'node:net'

export interface ForwardedRules {
  /** Peers whose own `X-Forwarded-For` is kept in front of their address; undefined for none. */
  readonly trusted: BlockList | undefined
  /** `https` or `http`, as clients see us. */
  readonly proto: string
  /** Host and port, as clients see us. */
  readonly host: string
}

/**
 * @param trustedProxies - addresses or CIDR blocks, checked by the configuration
 * @param publicUrl - origin that clients use
 */
export function createForwardedRules(trustedProxies: readonly string[], publicUrl: string): ForwardedRules {
  const trusted = new BlockList()
  for (const entry of trustedProxies) addEntry(trusted, entry)
  const url = new URL(publicUrl)
  return { trusted: trustedProxies.length > 0 ? trusted : undefined, proto: url.protocol.slice(0, -1), host: url.host }
}

function addEntry(list: BlockList, entry: string): void {
  const [address = '', prefix] = entry.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (prefix === undefined) list.addAddress(address, family)
  else list.addSubnet(address, Number(prefix), family)
}

/**
 * Tells the upstream for whom we ask (RFC 7239, and the older fields beside it). What a stranger claims about that is not repeated.
 *
 * @param rawHeaders - of the request
 * @returns alternating names and values
 */
export function formatForwarded(peer: string, rawHeaders: readonly string[], rules: ForwardedRules): readonly string[] {
  if (rules.trusted && isTrusted(peer, rules.trusted)) return formatFields(peer, readChain(rawHeaders), rules)
  const known = formattedFor.get(rules)
  if (known?.peer === peer) return known.fields
  const fields = formatFields(peer, '', rules)
  formattedFor.set(rules, { peer, fields })
  return fields
}

/** What was told of the last peer, which mostly is the next one too: the same bytes need not be put together again. */
const formattedFor = new WeakMap<ForwardedRules, { readonly peer: string; readonly fields: readonly string[] }>()

function formatFields(peer: string, chain: string, rules: ForwardedRules): readonly string[] {
  const plain = peer.startsWith('::ffff:') ? peer.slice(7) : peer
  const node = plain.includes(':') ? `"[${plain}]"` : plain
  return [
    'x-forwarded-for',
    chain ? `${chain}, ${plain}` : plain,
    'x-forwarded-proto',
    rules.proto,
    'x-forwarded-host',
    rules.host,
    'forwarded',
    `for=${node};proto=${rules.proto};host="${rules.host}"`,
  ]
}

/**
 * Whose request it is: the peer, or the last address of `X-Forwarded-For` that is not one of our own proxies where the peer is.
 *
 * @param rawHeaders - of the request
 */
export function findClientAddress(peer: string, rawHeaders: readonly string[], { trusted }: ForwardedRules): string {
  if (trusted === undefined || !isTrusted(peer, trusted)) return peer
  const chain = readChain(rawHeaders)
    .split(', ')
    .filter((address) => address !== '')
  return chain.findLast((address) => !isTrusted(address, trusted)) ?? chain[0] ?? peer
}

function isTrusted(peer: string, list: BlockList): boolean {
  const family = isIP(peer)
  return family !== 0 && list.check(peer, family === 6 ? 'ipv6' : 'ipv4')
}

/** Addresses of an `X-Forwarded-For`, without what isn't one. */
function readChain(rawHeaders: readonly string[]): string {
  const addresses: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'x-forwarded-for') continue
    addresses.push(...(rawHeaders[i + 1] ?? '').split(',').map((part) => part.trim()))
  }
  return addresses.filter((address) => isIP(address) !== 0).join(', ')
}
