import { isIP } from 'node:net'
import type { AddressList } from '../core/address-list.ts'

/** Texts that hold no comma and end no quotation: an element of a list with others in it is none of a proxy. */
const QUOTABLE = /^"([^"\\]*)"$/
const BRACKETED = /^\[([^\]]*)\](?::\w+)?$/
const WITH_PORT = /^([\d.]+):\d{1,5}$/
const PAIR = /^\s*([\w!#$%&'*+.^`|~-]+)=("[^"\\]*"|[^\s"\\]*)\s*$/

/**
 * The addresses that a request came through, as far as trusted proxies report them: each appends the address that it got the request from.
 * Everything before the first address that is not a trusted proxy is unverified.
 *
 * @param peer - address of the connection
 * @param rawHeaders - of the request
 * @returns addresses, the client's first and the peer's last
 */
export function readForwardedChain(peer: string, rawHeaders: readonly string[], trusted: AddressList | undefined): string[] {
  const nearest = normalizeAddress(peer) ?? peer
  if (trusted === undefined || !trusted.has(nearest)) return [nearest]
  const older = readElements(rawHeaders, 'x-forwarded-for')
  const standard = readElements(rawHeaders, 'forwarded')
  const chains = [
    ...(older.length > 0 ? [follow(nearest, older.map(parseNode), trusted)] : []),
    ...(standard.length > 0 ? [follow(nearest, standard.map(parseForwardedElement), trusted)] : []),
  ]
  const [chain = [nearest], other = chain] = chains
  // A proxy writes one of the two fields and may forward the client's other one. We cannot know which.
  return chain[0] === other[0] ? chain : [nearest]
}

/** Goes back from proxy to proxy: to the first address that is not trusted, or to where one of them does not say. */
function follow(nearest: string, nodes: readonly (string | undefined)[], trusted: AddressList): string[] {
  const chain = [nearest]
  for (const node of nodes.toReversed()) {
    if (node === undefined) break
    chain.unshift(node)
    if (!trusted.has(node)) break
  }
  return chain
}

/** Read from the end, each element is the proxy's own, even if a client opened a quotation before it; nodes have no commas. */
function readElements(rawHeaders: readonly string[], name: string): string[] {
  const elements: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) elements.push(...(rawHeaders[i + 1] ?? '').split(','))
  }
  // Empty elements say nothing (RFC 9110 §5.6.1.2).
  return elements.map((element) => element.trim()).filter((element) => element !== '')
}

/** @returns the address of an element of `Forwarded` (RFC 7239 §4); undefined when it names none, or can be read in two ways */
function parseForwardedElement(element: string): string | undefined {
  const pairs = element.split(';').map((part) => PAIR.exec(part))
  if (pairs.some((found) => found === null)) return undefined
  const nodes = pairs.flatMap((found) => (found?.[1]?.toLowerCase() === 'for' ? [found[2] ?? ''] : []))
  return nodes.length === 1 ? parseNode(nodes[0] ?? '') : undefined
}

/** @returns the address of a node in any form in use, with or without port, brackets and quotes; undefined for `unknown` and `_x` */
function parseNode(text: string): string | undefined {
  const node = QUOTABLE.exec(text)?.[1] ?? text
  return normalizeAddress(BRACKETED.exec(node)?.[1] ?? WITH_PORT.exec(node)?.[1] ?? node)
}

/** One spelling for each address: IPv6 in its short form, IPv4-mapped IPv6 as IPv4 (RFC 5952 §4, RFC 4291 §2.5.5.2). */
function normalizeAddress(text: string): string | undefined {
  if (isIP(text) !== 6) return isIP(text) === 4 ? text : undefined
  const short = new URL(`http://[${text.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(short) ?? []
  if (high === undefined || low === undefined) return short
  const bytes = [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
  return bytes.join('.')
}
