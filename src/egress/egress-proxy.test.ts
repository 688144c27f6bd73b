import { describe, expect, it } from 'vitest'
import { parseDirectHost } from '../config/format/egress-formats.ts'
import type { EgressPlan, HostPattern } from '../core/plan/egress-plan.ts'
import { createEgressProxyFinder } from './egress-proxy.ts'

const https = { origin: 'http://secure-proxy:3128', credentials: undefined, ca: undefined }
const http = { origin: 'http://plain-proxy:3128', credentials: undefined, ca: undefined }

function readPattern(text: string): HostPattern {
  const { mistake, ...parsed } = parseDirectHost(text)
  if (mistake !== undefined || !('value' in parsed)) throw new Error(mistake?.reason)
  return parsed.value
}

function findWay(url: string, noProxy = '', plan: Partial<EgressPlan> = { https, http }): string {
  const direct = noProxy.split(',').filter(Boolean).map(readPattern)
  const find = createEgressProxyFinder({ https: undefined, http: undefined, resolvedByProxy: [], ...plan, direct })
  return find(new URL(url))?.origin ?? 'direct'
}

describe('the way to a destination', () => {
  it('is that of its scheme, and direct where the scheme has none', () => {
    expect(findWay('https://example.com/')).toBe(https.origin)
    expect(findWay('http://example.com/')).toBe(http.origin)
    expect(findWay('http://example.com/', '', { https })).toBe('direct')
    expect(findWay('https://example.com/', '', { http })).toBe('direct')
  })

  it.each([
    'http://localhost:3000',
    'http://LOCALHOST./',
    'https://mcp.localhost',
    'http://127.0.0.1',
    'http://127.9.9.9:8080',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]:3000',
    'http://[::ffff:127.0.0.1]/',
    'http://0.0.0.0:3000',
    'http://[::]:3000',
  ])('never leads to this machine through another one: %s', (url) => {
    expect(findWay(url)).toBe('direct')
  })

  it.each<[noProxy: string, url: string]>([
    ['*', 'https://anything.example'],
    ['example.com', 'https://example.com'],
    ['example.com', 'https://EXAMPLE.com./mcp'],
    ['Example.COM.', 'https://example.com'],
    ['example.com', 'https://a.b.example.com'],
    ['.example.com', 'https://a.example.com'],
    ['*.example.com', 'https://a.example.com'],
    ['example.com:8443', 'https://example.com:8443'],
    ['example.com:443', 'https://example.com'],
    ['example.com:80', 'http://example.com'],
    ['.example.com:8443', 'https://a.example.com:8443'],
    ['other.example,example.com', 'https://example.com'],
    ['mcp', 'http://mcp:8080'],
    ['192.0.2.7', 'http://192.0.2.7:8080'],
    ['192.0.2.7:8080', 'http://192.0.2.7:8080'],
    ['10.0.0.0/8', 'http://10.255.0.1'],
    ['2001:db8::7', 'http://[2001:db8::7]:8080'],
    ['[2001:DB8:0::7]:8080', 'http://[2001:db8::7]:8080'],
    ['2001:db8::/32', 'http://[2001:db8:1::1]'],
    ['10.0.0.0/8', 'http://[::ffff:10.0.0.1]'],
    ['xn--bcher-kva.example', 'https://bücher.example'],
  ])('is direct for %s: %s', (noProxy, url) => {
    expect(findWay(url, noProxy)).toBe('direct')
  })

  it.each<[noProxy: string, url: string]>([
    ['example.com', 'https://evilexample.com'],
    ['example.com', 'https://example.com.evil.example'],
    ['example.com', 'https://example.co'],
    ['.example.com', 'https://example.com'],
    ['*.example.com', 'https://example.com'],
    ['*.example.com', 'https://evilexample.com'],
    ['example.com:8443', 'https://example.com'],
    ['example.com:443', 'http://example.com'],
    ['192.0.2.7', 'http://192.0.2.70'],
    ['192.0.2.7', 'http://x.192.0.2.7.example'],
    ['10.0.0.0/8', 'http://11.0.0.1'],
    ['10.0.0.0/8', 'http://10.0.0.1.example.com'],
    ['10.0.0.0/8', 'http://names-are-not-resolved.example'],
    ['2001:db8::7', 'http://[2001:db8::8]'],
    ['localhost', 'http://localhost.example.com'],
  ])('is not opened by %s for %s', (noProxy, url) => {
    expect(findWay(url, noProxy)).not.toBe('direct')
  })
})
