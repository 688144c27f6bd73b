import { isIP } from 'node:net'
import { findAddressLiteral } from '../../core/addresses.ts'
import type { HostPattern } from '../../core/plan/egress-plan.ts'
import { type Mistake, quote } from '../problem/problem.ts'
import { findHostMistake, findNetworkMistake } from './formats.ts'
import { AMBIGUOUS_ADDRESS, isAmbiguousAddress } from './written-address.ts'

/** The URL of an egress proxy, as variables and files have it. */
export interface ProxyUrl {
  readonly origin: string
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

/** Nothing of the text is ever repeated: it may hold a password. */
export type Parsed<T> = { readonly value: T; readonly mistake?: undefined } | { readonly mistake: Mistake }

const FIX =
  'Write scheme, host and port: http://proxy.example.com:3128. Write / ? # @ % and : in a password as %2F %3F %23 %40 %25 and %3A.'

/** Reads the URL of an egress proxy. Without a scheme it is http, as everywhere. */
export function parseProxyUrl(text: string): Parsed<ProxyUrl> {
  const url = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null) return { mistake: { reason: 'is not the URL of a proxy', fix: FIX } }
  if (/^socks/.test(url.protocol)) {
    return {
      mistake: {
        reason: 'is a SOCKS proxy, which is not supported',
        fix: 'Name a proxy that speaks HTTP (CONNECT): http:// or https://.',
      },
    }
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { mistake: { reason: 'is neither http:// nor https://', fix: FIX } }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return { mistake: { reason: 'has more than scheme, credentials, host and port', fix: FIX } }
  }
  if (isAmbiguousAddress(text)) return { mistake: AMBIGUOUS_ADDRESS }
  const credentials = decodeCredentials(url)
  if (credentials === null)
    return {
      mistake: {
        reason: 'has credentials that cannot be decoded',
        fix: 'Write % in them as %25, and : in the user name not at all.',
      },
    }
  return { value: { origin: url.origin, credentials } }
}

/** @returns null where they are no valid percent-encoding, or the name holds a colon (RFC 7617 §2) */
function decodeCredentials({ username, password }: URL): ProxyUrl['credentials'] | null {
  if (username === '' && password === '') return undefined
  try {
    const name = decodeURIComponent(username)
    return name.includes(':') ? null : { username: name, password: decodeURIComponent(password) }
  } catch {
    return null
  }
}

/** The URL of an egress proxy in a file, where its credentials have keys of their own. */
export function findProxyUrlMistake(text: string): Mistake | undefined {
  const { mistake, ...parsed } = parseProxyUrl(text)
  if (mistake !== undefined) return mistake
  if (!('value' in parsed) || parsed.value.credentials === undefined) return undefined
  return { reason: 'holds credentials', fix: 'Write `username` and `password: { env: NAME }` beside `url` instead.' }
}

/** A user name of an egress proxy. */
export function findProxyUsernameMistake(text: string): Mistake | undefined {
  if (text !== '' && !/[:\p{Cc}]/u.test(text)) return undefined
  return {
    reason: 'is empty, or holds a colon or control characters',
    fix: 'Write the user name alone; the password has a key of its own.',
  }
}

/**
 * Reads an item of `NO_PROXY`: `*`, a host with its subdomains, `.suffix` or `*.suffix` for subdomains alone, an address, a CIDR block; a port
 * may stand behind all but the last.
 */
export function parseDirectHost(text: string): Parsed<HostPattern> {
  if (text === '*') return { value: { kind: 'any' } }
  if (text.includes('/')) return parseNetwork(text)
  // A bare IPv6 address ends in no port.
  if (isIP(text) !== 0) return parseName(isIP(text) === 6 ? `[${text}]` : text, 'itself')
  const subdomains = /^\*?\.(?<name>.+)$/.exec(text)?.groups?.name
  return subdomains === undefined ? parseName(text, 'both') : parseName(subdomains, 'subdomains')
}

const EXACT_FIX = 'Write names of hosts: claude.ai, or *.example.com for subdomains.'

/** Reads a host that is no more than that: a name, or `*.name` for its subdomains; a port may stand behind it. An address is not resolved. */
export function parseExactHost(text: string): Parsed<HostPattern> {
  const parsed = text.startsWith('*.') ? parseName(text.slice(2), 'subdomains') : parseName(text, 'itself')
  if (parsed.mistake !== undefined) return { mistake: { reason: parsed.mistake.reason, fix: EXACT_FIX } }
  if (parsed.value.kind === 'name' && isIP(parsed.value.name) === 0) return parsed
  return { mistake: { reason: `${quote(text)} is an address, which nothing resolves`, fix: EXACT_FIX } }
}

export const findDirectHostMistake = (text: string): Mistake | undefined => parseDirectHost(text).mistake
export const findExactHostMistake = (text: string): Mistake | undefined => parseExactHost(text).mistake

function parseNetwork(text: string): Parsed<HostPattern> {
  const mistake = findNetworkMistake(text)
  if (mistake !== undefined) return { mistake }
  const [address = '', prefix = ''] = text.split('/')
  return { value: { kind: 'network', address, prefix: Number(prefix) } }
}

function parseName(text: string, includes: 'itself' | 'subdomains' | 'both'): Parsed<HostPattern> {
  const host = text.replace(/\.(?=$|:)/, '')
  const url = host.startsWith('*') || findHostMistake(host) ? null : URL.parse(`http://${text}`)
  if (url === null || isAmbiguousAddress(host)) {
    const fix = 'Write hosts like example.com, .example.com, example.com:8443, 192.0.2.7, 10.0.0.0/8 or [2001:db8::7]:8443.'
    return { mistake: { reason: `${quote(text)} is not a host`, fix } }
  }
  const name = findAddressLiteral(url.hostname) ?? url.hostname.replace(/\.$/, '')
  const port = /:(\d+)$/.exec(text.replace(/^\[.*\]/, ''))?.[1]
  return { value: { kind: 'name', name, includes: isIP(name) === 0 ? includes : 'itself', port: port && String(Number(port)) } }
}
