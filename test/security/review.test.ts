import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { type RawResponse, sendRaw } from '../support/raw-client.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'

/** What a terminal or a viewer of logs obeys; ESC and its like are escaped by JSON already. */
const obeyed = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u
/** C1 "control sequence introducer", next line, and the override that turns the direction of writing. */
const hostile = '\u009b31m\u0085\u2028\u202e'

describe.each(['json', 'pretty'] as const)('nothing that a stranger sends makes a terminal obey a %s log', (format) => {
  let issuer: TestIssuer
  let proxy: TestProxy
  beforeAll(async () => {
    issuer = await startIssuer({ audience })
    proxy = await startTestProxy({
      issuers: [issuer.issuer],
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:9/', audience: [audience] }],
      log: { level: 'debug', format },
    })
  })
  afterAll(() => Promise.all([proxy.close(), issuer.close()]))

  /** Sends a header as bytes: what is one character to us is one byte on the wire. */
  const send = (line: string): Promise<RawResponse> =>
    sendRaw(proxy.port, Buffer.from(`GET /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\n${line}\r\n\r\n`, 'latin1'))
  const forge = (header: object, claims: object): string =>
    [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
      .concat('.AAAA')

  it.each<[string, number, () => string]>([
    ['an origin', 403, () => 'Origin: http://x\x9b31m\x85'],
    ['a header named in Connection', 400, () => 'Connection: mcp-\x9b31m'],
    ['an issuer', 401, () => `Authorization: Bearer ${forge({ alg: 'RS256' }, { iss: hostile })}`],
    ['a key id', 401, () => `Authorization: Bearer ${forge({ alg: 'RS256', kid: hostile }, { iss: issuer.issuer })}`],
  ])('%s', async (_what, status, formatLine) => {
    const before = proxy.log.text().length
    expect((await send(formatLine())).status).toBe(status)
    const text = proxy.log.text().slice(before)
    expect(text).toContain('refused')
    expect(text).not.toMatch(obeyed)
    expect(text).toContain('\\u009b31m')
  })
})
