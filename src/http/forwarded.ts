import { BlockList, isIP } from 'node:net'
import { isTrustedProxy, readForwardedChain } from './forwarded-chain.ts'

export interface ForwardedRules {
  /** Proxies that say whose requests they pass on; undefined for none. */
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
 * The fields that tell the upstream who the client is (RFC 7239, and the older fields). Unverified claims are not repeated.
 *
 * @param rawHeaders - of the request
 * @returns alternating names and values
 */
export function formatForwarded(peer: string, rawHeaders: readonly string[], rules: ForwardedRules): readonly string[] {
  const known = formattedFor.get(rules)
  if (known?.peer === peer) return known.fields
  const chain = readForwardedChain(peer, rawHeaders, rules.trusted)
  const fields = formatFields(chain, rules)
  if (rules.trusted === undefined || !isTrustedProxy(peer, rules.trusted)) formattedFor.set(rules, { peer, fields })
  return fields
}

/** The fields for the last peer that is no trusted proxy, which usually is the next one too, so that they are not formatted again. */
const formattedFor = new WeakMap<ForwardedRules, { readonly peer: string; readonly fields: readonly string[] }>()

function formatFields(chain: readonly string[], { proto, host }: ForwardedRules): readonly string[] {
  const nodes = chain.map((address) => (address.includes(':') ? `for="[${address}]"` : `for=${address}`))
  return [
    'x-forwarded-for',
    chain.join(', '),
    'x-forwarded-proto',
    proto,
    'x-forwarded-host',
    host,
    'forwarded',
    `${nodes.join(', ')};proto=${proto};host="${host}"`,
  ]
}

/**
 * The address of the client: the peer, or, where the peer is a trusted proxy, the one that it reports.
 *
 * @param rawHeaders - of the request
 */
export function findClientAddress(peer: string, rawHeaders: readonly string[], { trusted }: ForwardedRules): string {
  const [client = peer] = readForwardedChain(peer, rawHeaders, trusted)
  return client
}
