import { type AddressList, createAddressList } from '../core/address-list.ts'
import { readForwardedChain } from './forwarded-chain.ts'

export interface ForwardedRules {
  /** Proxies that say whose requests they pass on; undefined for none. */
  readonly trusted: AddressList | undefined
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
  const url = new URL(publicUrl)
  const trusted = trustedProxies.length > 0 ? createAddressList(trustedProxies) : undefined
  return { trusted, proto: url.protocol.slice(0, -1), host: url.host }
}

/**
 * The addresses that a request came through, as far as trusted proxies report them: the client's first, the connection's last.
 *
 * @param peer - address of the connection
 * @param rawHeaders - of the request
 */
export function findForwardedChain(peer: string, rawHeaders: readonly string[], rules: ForwardedRules): readonly string[] {
  const known = lastChains.get(rules)
  if (known?.peer === peer) return known.chain
  const chain = readForwardedChain(peer, rawHeaders, rules.trusted)
  if (rules.trusted?.has(peer) !== true) lastChains.set(rules, { peer, chain })
  return chain
}

/** The chain of the last peer that is no trusted proxy. The next request is usually from the same peer, and its headers do not count. */
const lastChains = new WeakMap<ForwardedRules, { readonly peer: string; readonly chain: readonly string[] }>()

/**
 * The fields that tell the upstream who the client is (RFC 7239, and the older fields). Unverified claims are not repeated.
 *
 * @param chain - as {@link findForwardedChain} returns it
 * @returns alternating names and values
 */
export function formatForwarded(chain: readonly string[], rules: ForwardedRules): readonly string[] {
  const known = lastFields.get(rules)
  if (known?.chain === chain) return known.fields
  const fields = formatFields(chain, rules)
  lastFields.set(rules, { chain, fields })
  return fields
}

const lastFields = new WeakMap<ForwardedRules, { readonly chain: readonly string[]; readonly fields: readonly string[] }>()

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
