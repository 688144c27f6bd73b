import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { readRequestHead } from './request-head.ts'

const own = ['Host', 'mcp.example']
const read = (rawHeaders: readonly string[], more: Partial<IncomingMessage> = {}) =>
  readRequestHead({ rawHeaders, httpVersion: '1.1', method: 'POST', url: '/mcp?a=1', ...more } as IncomingMessage)
const malformed = expect.objectContaining({ code: 'request_malformed' })

describe('the header section of a request', () => {
  it('is read with all that means something, and passes on what may go on', () => {
    const fields = [
      ...['Authorization', 'Bearer a', 'authorization', 'Bearer b', 'Origin', 'https://page.example'],
      ...['Content-Type', 'application/json', 'Content-Length', '2', 'Expect', '100-Continue', 'Mcp-Session-Id', 's'],
      ...['MCP-Protocol-Version', '2025-11-25', 'Mcp-Method', 'ping', 'Mcp-Name', 'n', 'X-Other', '1', 'Cookie', 'secret'],
    ]
    const head = read([...own, ...fields])
    expect(head).toMatchObject({
      method: 'POST',
      path: '/mcp',
      query: 'a=1',
      host: 'mcp.example',
      authorization: ['Bearer a', 'Bearer b'],
      origin: 'https://page.example',
      contentType: 'application/json',
      hasBody: true,
      contentLength: 2,
      expectsContinue: true,
      protocolVersion: '2025-11-25',
      mcpMethod: 'ping',
      mcpName: 'n',
      mcpSessionId: 's',
    })
    expect(head.forward.join(' ')).toContain('content-type application/json')
    expect(head.forward.join(' ')).toContain('x-other 1')
    for (const kept of ['Bearer a', 'Bearer b', 'secret', 'https://page.example', 's', 'mcp.example'])
      expect(head.forward).not.toContain(kept)
  })

  it('has nothing that was not sent', () => {
    expect(read(own)).toMatchObject({
      authorization: [],
      origin: undefined,
      hasBody: false,
      contentLength: undefined,
      expectsContinue: false,
      mcpSessionId: undefined,
      forward: [],
    })
    expect(read([...own, 'Content-Length', '0']).hasBody).toBe(false)
    expect(read([...own, 'Transfer-Encoding', 'CHUNKED']).hasBody).toBe(true)
  })

  it.each(['MCP.example', 'localhost:8080', '127.0.0.1', '[::1]:8080', 'a_b~c-d.example'])('takes %s as a host', (host) => {
    for (let again = 0; again < 2; again++) expect(read(['Host', host]).host).toBe(host.toLowerCase())
  })

  it.each(['', ' ', 'a b', 'a/b', 'a@b', 'a:', 'a:123456', 'a:x', '[::1', '::1', 'a,b', 'a\u00e4', 'http://a'])(
    'refuses the host %j',
    (host) => {
      read(own)
      for (let again = 0; again < 2; again++) expect(() => read(['Host', host])).toThrow(malformed)
    },
  )

  it.each(['Mcp-Session-Id', 'Mcp-Method', 'Mcp-Name', 'MCP-Protocol-Version', 'Mcp-Param-A'])(
    'says that %s came twice, for who refuses it',
    (name) => {
      expect(read([...own, name, 'a', name, 'b'])).toMatchObject({ repeatedMcpField: name.toLowerCase() })
      expect(read([...own, name, 'a']).repeatedMcpField).toBeUndefined()
    },
  )

  it('names the parameters in headers', () => {
    expect(read([...own, 'Mcp-Param-A', '1', 'mcp-param-b', '2'])).toMatchObject({
      mcpParams: ['mcp-param-a', 'mcp-param-b'],
      forward: ['mcp-param-a', '1', 'mcp-param-b', '2'],
    })
    expect(read(own).mcpParams).toEqual([])
  })

  it.each<[string, string[], Partial<IncomingMessage>?]>([
    ['no host', []],
    ['two hosts', [...own, ...own]],
    ['two lengths', [...own, 'Content-Length', '2', 'Content-Length', '2']],
    ['a length and a coding', [...own, 'Content-Length', '2', 'Transfer-Encoding', 'chunked']],
    ['another coding', [...own, 'Transfer-Encoding', 'gzip, chunked']],
    ['a coding in HTTP/1.0', [...own, 'Transfer-Encoding', 'chunked'], { httpVersion: '1.0' }],
    ['another version', own, { httpVersion: '2.0' }],
    ['an upgrade', [...own, 'Upgrade', 'h2c']],
    ['what looks like a length', [...own, 'Content_Length', '2']],
    ['a session id called hop by hop', [...own, 'Mcp-Session-Id', 'a', 'Connection', 'close, MCP-Session-Id']],
    ['a token called hop by hop', [...own, 'Connection', 'authorization']],
  ])('is refused with %s', (_what, fields, more) => {
    expect(() => read(fields, more)).toThrow(malformed)
  })

  it('is refused with more than 100 fields, and with an unknown expectation', () => {
    const others = (count: number) => Array.from({ length: count }, (_, index) => [`X-${index}`, '1']).flat()
    expect(read([...own, ...others(99)]).forward).toHaveLength(198)
    expect(() => read([...own, ...others(100)])).toThrow(expect.objectContaining({ code: 'headers_too_many' }))
    expect(() => read([...own, 'Expect', 'more'])).toThrow(expect.objectContaining({ code: 'expectation_failed' }))
    expect(read([...own, 'Expect', '100-continue'], { httpVersion: '1.0' }).expectsContinue).toBe(false)
  })

  it('passes nothing on that Connection names', () => {
    const head = read([...own, 'X-Hop', '1', 'X-Other', '2', 'Connection', 'keep-alive, X-HOP ,'])
    expect(head.forward).toEqual(['x-other', '2'])
    expect(read([...own, 'X-Close', '1', 'Connection', 'X-Close']).forward).toEqual([])
    for (const plain of ['keep-alive', 'Close'])
      expect(read([...own, 'X-Other', '2', 'Connection', plain]).forward).toEqual(['x-other', '2'])
  })
})

it.each<[string, readonly string[], Partial<IncomingMessage>]>([
  ['host_invalid', [], {}],
  ['host_invalid', ['Host', 'a b'], {}],
  ['target_invalid', own, { url: '*' }],
  ['target_invalid', own, { url: 'http://other.example/mcp' }],
  ['target_invalid', own, { url: '/a b' }],
  ['field_repeated', [...own, ...own], {}],
  ['framing_ambiguous', [...own, 'Transfer-Encoding', 'gzip, chunked'], {}],
  ['framing_ambiguous', [...own, 'Transfer-Encoding', 'chunked', 'Content-Length', '1'], {}],
  ['framing_ambiguous', [...own, 'Transfer_Encoding', 'chunked'], {}],
  ['connection_invalid', [...own, 'Connection', 'Authorization'], {}],
  ['protocol_not_supported', [...own, 'Upgrade', 'websocket'], {}],
  ['protocol_not_supported', own, { httpVersion: '2.0' }],
])('a malformed request is logged as %s: %j %j', (reason, rawHeaders, more) => {
  expect(() => read(rawHeaders, more)).toThrow(expect.objectContaining({ code: 'request_malformed', reason }))
})
