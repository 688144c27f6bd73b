// What others say ends on a page that operators open: names, and the causes of failures.
import { createServer } from 'node:http'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { formatStatus } from '../../src/admin/status-page.ts'
import type { ProxyStatus } from '../../src/core/proxy-status.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { waitUntil } from '../support/processes.ts'
import { startTestProxy } from '../support/proxy.ts'

const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8'
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** Every text of a status is this one. */
function fill(text: string): ProxyStatus {
  const failure = { at: text, cause: text }
  return {
    version: text,
    node: text,
    started_at: text,
    uptime_seconds: 1,
    ready: true,
    state: 'serving',
    configuration: { file: text, digest: text, loaded_at: text },
    issuers: [{ issuer: text, keys_age_seconds: undefined, last_failure: failure }],
    servers: [
      {
        name: text,
        open_streams: 0,
        open_calls: 0,
        upstreams: [
          { kind: 'http', address: text, circuit: 'open', last_failure: failure },
          { kind: 'stdio', mcp_sessions: 0, max_processes: 1, processes: [{ pid: 1, age_seconds: 1 }], last_failure: failure },
        ],
      },
    ],
    store: { kind: 'redis', reachable: false, last_failure: failure },
    audit: { writable: false, lost_records: 1 },
    deny_list: { read: true, entries: 0 },
    body_room: { used_bytes: 0, total_bytes: 1, waiting: 0 },
    last_errors: [{ at: text, server: text, code: text, reason: text, request_id: text }],
  }
}

/** Tags of the page, without their text. */
const listTags = (html: string) => html.match(/<[^>]*>/g) ?? []

describe('the status page', () => {
  const plain = listTags(formatStatus(fill('x'), BROWSER).text)

  it('has the same elements and attributes, whatever its texts say', () => {
    const pieces = fc.constantFrom(
      '<script>',
      '"',
      "'",
      '>',
      '<',
      '&',
      '</style>',
      '<!--',
      '-->',
      'javascript:',
      '\u0000',
      '=',
      ' onload=',
    )
    const texts = fc.array(fc.oneof(pieces, fc.string({ unit: 'binary' })), { maxLength: 8 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, (text) => {
        expect(listTags(formatStatus(fill(text), BROWSER).text)).toEqual(plain)
      }),
    )
  })

  it('shows no characters that break, hide or reverse the text around them', () => {
    const { text } = formatStatus(fill('a\u202eb\u2066c\u200bd\r\n\u001b[31me\u2028f'), BROWSER)
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  })

  it('is no page, and cannot be taken for one, for programs', () => {
    for (const accept of [undefined, '*/*', 'application/json', 'application/json, text/html', 'text/plain']) {
      const { type, text } = formatStatus(fill('<script>'), accept)
      expect([type, JSON.parse(text).version]).toEqual(['application/json', '<script>'])
    }
  })
})

it('a hostile issuer puts no element onto the page', async () => {
  const hostile = '<script>alert(1)</script>'
  const issuer = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ issuer: hostile, jwks_uri: hostile }))
  })
  const port = await listenOnLoopback(issuer, 0)
  open.push(() => closeServer(issuer))
  const proxy = await startTestProxy({
    issuers: [`http://127.0.0.1:${port}`],
    admin: { port: 0 },
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
  })
  open.push(() => proxy.close())
  const read = async (accept: string) => (await fetch(`${proxy.adminUrl}/status`, { headers: { accept } })).text()
  await waitUntil(async () => (await read('application/json')).includes(hostile), 'the failure is told')
  expect(await read(BROWSER)).not.toContain('<script')
  expect(await read(BROWSER)).toContain('&#60;script&#62;')
})
