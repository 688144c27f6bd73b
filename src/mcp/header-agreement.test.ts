import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProxyError } from '../core/errors.ts'
import { checkHeaderAgreement, decodeHeaderValue } from './header-agreement.ts'
import { parseMessages } from './messages.ts'

const modern = '2026-07-28'
const body = (method: string, params: object = {}, revision: string | null = modern, id: number | null = 1) => {
  const meta = revision === null ? {} : { _meta: { 'io.modelcontextprotocol/protocolVersion': revision } }
  return parseMessages(
    JSON.stringify({ jsonrpc: '2.0', ...(id === null ? {} : { id }), method, params: { ...params, ...meta } }),
    {
      jsonDepth: 128,
      batchMembers: 50,
    },
  )
}
const agrees = (
  headers: { protocolVersion?: string; method?: string; name?: string },
  parsed: ReturnType<typeof body>,
  revision = headers.protocolVersion ?? '2025-03-26',
) => {
  try {
    checkHeaderAgreement({ protocolVersion: undefined, method: undefined, name: undefined, ...headers }, parsed, revision)
    return true
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'header_mismatch') return false
    throw error
  }
}
const echo = body('tools/call', { name: 'echo' })

describe('MCP headers and the body', () => {
  it.each<[string, Parameters<typeof agrees>, boolean]>([
    ['all three agree', [{ protocolVersion: modern, method: 'tools/call', name: 'echo' }, echo], true],
    ['name in Base64', [{ protocolVersion: modern, method: 'tools/call', name: '=?base64?ZWNobw==?=' }, echo], true],
    ['no name needed', [{ protocolVersion: modern, method: 'tools/list' }, body('tools/list')], true],
    ['version missing while the body names one', [{ method: 'tools/call', name: 'echo' }, echo], false],
    ['version differs', [{ protocolVersion: '2025-11-25', method: 'tools/call', name: 'echo' }, echo], false],
    ['body names no version', [{ protocolVersion: modern, method: 'tools/list' }, body('tools/list', {}, '')], false],
    ['method missing', [{ protocolVersion: modern, name: 'echo' }, echo], false],
    ['method differs', [{ protocolVersion: modern, method: 'ping', name: 'echo' }, echo], false],
    ['method differs in case', [{ protocolVersion: modern, method: 'Tools/Call', name: 'echo' }, echo], false],
    ['name missing', [{ protocolVersion: modern, method: 'tools/call' }, echo], false],
    ['name differs', [{ protocolVersion: modern, method: 'tools/call', name: 'danger' }, echo], false],
    [
      'URI as name',
      [{ protocolVersion: modern, method: 'resources/read', name: 'file:///a' }, body('resources/read', { uri: 'file:///a' })],
      true,
    ],
    [
      'an unknown revision is held to the newest rules',
      [{ protocolVersion: 'whatever' }, body('tools/list', {}, 'whatever')],
      false,
    ],
    ['older revisions need no mirrors', [{ protocolVersion: '2025-11-25' }, body('tools/list', {}, null)], true],
    ['nothing at all', [{}, body('initialize', {}, null)], true],
    ['a notification needs no mirrors', [{ protocolVersion: modern }, body('notifications/x', {}, null, null)], true],
  ])('%s', (_what, given, expected) => {
    expect(agrees(...given)).toBe(expected)
  })

  it('asks for the protocol version in the body of a request (2026-07-28, basic/index, _meta)', () => {
    const headers = { protocolVersion: modern, method: 'tools/list', name: undefined }
    const check = () => checkHeaderAgreement(headers, body('tools/list', {}, null), modern)
    expect(check).toThrow(expect.objectContaining({ code: 'protocol_version_missing' }))
  })
})

describe('header values', () => {
  it('come back from the Base64 form as they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeHeaderValue(`=?base64?${Buffer.from(text).toString('base64')}?=`)).toBe(Buffer.from(text).toString())
      }),
    )
  })

  it.each([
    '=?base64?ZWNobw?=',
    '=?base64?ZWNob$==?=',
    '=?base64?ZWNobx==?=',
    '=?base64?/w==?=',
    '=?base64? ZWNobw==?=',
    'h\u00e4',
    '\u0001',
  ])('refuses %j', (value) => {
    expect(() => decodeHeaderValue(value)).toThrow(ProxyError)
  })

  it.each(['=?BASE64?ZWNobw==?=', 'echo', ' a b ', '=?base64?ZWNobw=='])('takes %j as it stands', (value) => {
    expect(decodeHeaderValue(value)).toBe(value)
  })
})

it.each<[string, object, object]>([
  ['tools/call', { name: 'echo' }, { name: 'danger' }],
  ['prompts/get', { name: 'greet' }, { name: 'secret' }],
  ['resources/read', { uri: 'file:///a' }, { uri: 'file:///b' }],
])('the name of %s is required, and is that of the body', (method, params, others) => {
  const name: string = Object.values(params)[0]
  const headers = { protocolVersion: modern, method }
  expect(agrees({ ...headers, name }, body(method, params))).toBe(true)
  expect(agrees({ ...headers, name }, body(method, others))).toBe(false)
  expect(agrees(headers, body(method, params))).toBe(false)
  expect(agrees({ ...headers, protocolVersion: '2025-11-25' }, body(method, params, null))).toBe(true)
  expect(agrees({ protocolVersion: modern }, body(method, params, modern, null))).toBe(true)
})

describe('with older revisions, what the body does not bear out is named', () => {
  const unfounded = (headers: { method?: string; name?: string }, parsed: ReturnType<typeof body>, version?: string) =>
    checkHeaderAgreement(
      { protocolVersion: version, method: undefined, name: undefined, ...headers },
      parsed,
      version ?? '2025-03-26',
    )
  const old = body('tools/call', { name: 'echo' }, null)
  const batch = parseMessages('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', { jsonDepth: 8, batchMembers: 50 })

  it.each<[object, ReturnType<typeof body>, string[]]>([
    [{}, old, []],
    [{ method: 'tools/call', name: 'echo' }, old, []],
    [{ method: 'tools/call', name: '=?base64?ZWNobw==?=' }, old, []],
    [{ method: 'ping' }, old, ['mcp-method']],
    [{ method: 'ping', name: 'echo' }, old, ['mcp-method']],
    [{ method: 'tools/call', name: 'danger' }, old, ['mcp-name']],
    [{ method: 'ping', name: 'danger' }, old, ['mcp-method', 'mcp-name']],
    [{ name: '=?base64?ZWNobw?=' }, old, ['mcp-name']],
    [{ name: 'echo' }, body('tools/list', {}, null), ['mcp-name']],
    [{ name: 'file:///a' }, body('resources/subscribe', { uri: 'file:///a' }, null), []],
    [{ method: 'ping' }, batch, ['mcp-method']],
    [{ name: 'echo' }, batch, ['mcp-name']],
    [{}, batch, []],
    [
      { method: 'ping' },
      { operations: [], isBatch: false, revision: undefined, openedRevisions: [], urlElicitation: false, argumentSpans: [] },
      ['mcp-method'],
    ],
  ])('%j', (headers, parsed, expected) => {
    expect(unfounded(headers, parsed)).toEqual(expected)
    expect(unfounded(headers, parsed, '2025-11-25')).toEqual(expected)
  })

  it('2026-07-28 has no bodies to compare with in GET either', () => {
    expect(
      unfounded(
        { method: 'ping', name: 'a' },
        { operations: [], isBatch: false, revision: undefined, openedRevisions: [], urlElicitation: false, argumentSpans: [] },
        modern,
      ),
    ).toEqual(['mcp-method', 'mcp-name'])
  })
})

it.each(['x=?base64?ZWNobw==?=', '=?base64?ZWNobw==?=x'])('%j is no Base64 form: it stands for itself', (value) => {
  expect(decodeHeaderValue(value)).toBe(value)
})

it.each<[string, Parameters<typeof agrees>[0], ReturnType<typeof body>]>([
  ['header_missing', { protocolVersion: modern, name: 'echo' }, echo],
  ['header_missing', { protocolVersion: modern, method: 'tools/call' }, echo],
  ['header_differs', { protocolVersion: '2025-11-25', method: 'tools/call', name: 'echo' }, echo],
  ['header_differs', { protocolVersion: modern, method: 'ping', name: 'echo' }, echo],
  ['header_differs', { protocolVersion: modern, method: 'tools/call', name: 'danger' }, echo],
  ['encoding_invalid', { protocolVersion: modern, method: 'tools/call', name: '=?base64?ZWNobw?=' }, echo],
])('a mismatch is logged as %s for %j', (reason, headers, parsed) => {
  const sent = { protocolVersion: undefined, method: undefined, name: undefined, ...headers }
  expect(() => checkHeaderAgreement(sent, parsed, modern)).toThrow(expect.objectContaining({ code: 'header_mismatch', reason }))
})
