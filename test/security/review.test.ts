import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { type RawResponse, sendRaw } from '../support/raw-client.ts'
import { checkAttempt, createCall, createServer, type Stage, startStage } from '../support/stage.ts'
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

describe('a token without an audience under `legacy_clients: signature_only`', () => {
  const old = [['MCP-Protocol-Version', '2024-11-05']] as const
  let stage: Stage
  beforeAll(async () => {
    stage = await startStage({
      servers: (around) => [
        createServer(around, { legacy_clients: 'signature_only', sse: { path: '/sse', upstream: `${around.upstream}/sse` } }),
      ],
    })
  })
  afterAll(() => stage.close())

  it('is of no use on Streamable HTTP, whatever revision the client claims', async () => {
    const token = await stage.mint({ aud: undefined, scope: undefined })
    const body = createCall('tools/call', { name: 'drop_db' })
    const refused = { status: 401, code: 'token_audience_mismatch' }
    await checkAttempt(stage, { token, body, headers: old }, refused)
    await checkAttempt(stage, { token, method: 'GET', headers: old }, refused)
    await checkAttempt(stage, { token, body }, refused)
  })

  it('is refused on HTTP+SSE where the client claims a revision that has the authorization chapter', async () => {
    const token = await stage.mint({ aud: undefined, scope: undefined })
    for (const version of ['2025-03-26', '2025-11-25', '2026-07-28']) {
      const headers = [['MCP-Protocol-Version', version]] as const
      const refused = { status: 401, code: 'token_audience_mismatch' } as const
      await checkAttempt(stage, { token, method: 'GET', target: '/sse', headers }, refused)
    }
  })

  it('is accepted on HTTP+SSE', async () => {
    const token = await stage.mint({ aud: undefined, scope: undefined })
    await checkAttempt(stage, { token, method: 'GET', target: '/sse' }, { status: 200, url: '/sse' })
    await checkAttempt(stage, { token, method: 'GET', target: '/sse', headers: old }, { status: 200, url: '/sse' })
  })
})
