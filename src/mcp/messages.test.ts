import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProxyError } from '../core/errors.ts'
import { parseMessages } from './messages.ts'

const limits = { jsonDepth: 128, batchMembers: 50 }
const parse = (value: unknown) => parseMessages(typeof value === 'string' ? value : JSON.stringify(value), limits)
const codeOf = (value: unknown): string => {
  try {
    parse(value)
    return 'fine'
  } catch (error) {
    if (error instanceof ProxyError) return error.code
    throw error
  }
}
const call = (method: string, params?: unknown) => ({
  jsonrpc: '2.0',
  id: 1,
  method,
  ...(params === undefined ? {} : { params }),
})

describe('reading messages', () => {
  it.each([
    [call('tools/call', { name: 'echo', arguments: {} }), 'tool', 'echo'],
    [call('prompts/get', { name: 'greet' }), 'prompt', 'greet'],
    [call('resources/read', { uri: 'file:///a' }), 'resource', 'file:///a'],
    [call('resources/subscribe', { uri: 'file:///a' }), 'resource', 'file:///a'],
    [call('resources/subscribe', {}), 'resource', undefined],
    [call('resources/unsubscribe'), 'resource', undefined],
    [call('completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: {} }), 'prompt', 'greet'],
    [call('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{x}' }, argument: {} }), 'resource', 'file:///{x}'],
    [call('tools/list'), undefined, undefined],
    [call('ping', {}), undefined, undefined],
  ])('finds what %j is aimed at', (message, kind, target) => {
    const [operation] = parse(message).operations
    expect(operation).toMatchObject({ kind: 'request', method: message.method, targetKind: kind, target, id: '1' })
  })

  it('sees every resource that a subscription names', () => {
    const body = parse(
      call('subscriptions/listen', { notifications: { resourceSubscriptions: ['a:1', 'a:2'], toolsListChanged: true } }),
    )
    expect(body.operations.map(({ target }) => target)).toEqual(['a:1', 'a:2'])
  })

  it('tells requests, notifications and responses apart', () => {
    const kinds = [
      call('ping'),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 'x', result: {} },
      { jsonrpc: '2.0', id: 2, error: { code: 1, message: '' } },
    ]
    expect(kinds.map((message) => parse(message).operations[0]?.kind)).toEqual([
      'request',
      'notification',
      'response',
      'response',
    ])
  })

  it('reads the revision of a message and keeps the id as it was written', () => {
    const body = parse(
      '{"jsonrpc":"2.0","id":"\\u0061b","method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}',
    )
    expect(body.revision).toBe('2026-07-28')
    expect(body.operations[0]?.id).toBe('"\\u0061b"')
  })

  it.each([
    ['empty batch', [], 'message_invalid'],
    ['batch of more than 50', Array.from({ length: 51 }, () => call('ping')), 'message_invalid'],
    ['batch of many more', `[${'1,'.repeat(5000)}1]`, 'message_invalid'],
    ['batch within a batch', [[call('ping')]], 'message_invalid'],
    ['no object', 1, 'message_invalid'],
    ['null', null, 'message_invalid'],
    ['no version', { id: 1, method: 'ping' }, 'message_invalid'],
    ['version 1.0', { jsonrpc: '1.0', id: 1, method: 'ping' }, 'message_invalid'],
    ['version as a number', { jsonrpc: 2.0, id: 1, method: 'ping' }, 'message_invalid'],
    ['id null', { jsonrpc: '2.0', id: null, method: 'ping' }, 'message_invalid'],
    ['id 1.5', { jsonrpc: '2.0', id: 1.5, method: 'ping' }, 'message_invalid'],
    ['id beyond what decoders agree on', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', 'message_invalid'],
    ['id 1e400', '{"jsonrpc":"2.0","id":1e400,"method":"ping"}', 'message_invalid'],
    ['id as an object', { jsonrpc: '2.0', id: {}, method: 'ping' }, 'message_invalid'],
    ['endless id', { jsonrpc: '2.0', id: 'x'.repeat(2000), method: 'ping' }, 'message_invalid'],
    ['method as a list', { jsonrpc: '2.0', id: 1, method: ['ping'] }, 'message_invalid'],
    ['empty method', { jsonrpc: '2.0', id: 1, method: '' }, 'message_invalid'],
    ['method and result', { jsonrpc: '2.0', id: 1, method: 'ping', result: {} }, 'message_invalid'],
    ['result and error', { jsonrpc: '2.0', id: 1, result: {}, error: {} }, 'message_invalid'],
    ['neither call nor response', { jsonrpc: '2.0', id: 1 }, 'message_invalid'],
    ['params as a list', call('tools/call', ['echo']), 'params_invalid'],
    ['params null', call('tools/call', null), 'params_invalid'],
    ['no name', call('tools/call', {}), 'params_invalid'],
    ['name as a list', call('tools/call', { name: ['echo'] }), 'params_invalid'],
    ['uri as a number', call('resources/read', { uri: 1 }), 'params_invalid'],
    ['no uri', call('resources/read', {}), 'params_invalid'],
    ['uri to subscribe to as a number', call('resources/subscribe', { uri: 1 }), 'params_invalid'],
    ['unknown reference', call('completion/complete', { ref: { type: 'ref/other' } }), 'params_invalid'],
    [
      'subscriptions as a string',
      call('subscriptions/listen', { notifications: { resourceSubscriptions: 'a' } }),
      'params_invalid',
    ],
    [
      'subscriptions to more than anyone decides on',
      call('subscriptions/listen', { notifications: { resourceSubscriptions: Array.from({ length: 1001 }, () => 'a:1') } }),
      'params_invalid',
    ],
    [
      'subscriptions to few, of endless names',
      call('subscriptions/listen', {
        notifications: { resourceSubscriptions: Array.from({ length: 9 }, () => 'a'.repeat(8000)) },
      }),
      'params_invalid',
    ],
    [
      'batch that names more than anyone decides on',
      Array.from({ length: 2 }, () =>
        call('subscriptions/listen', { notifications: { resourceSubscriptions: Array.from({ length: 501 }, () => 'a:1') } }),
      ),
      'params_invalid',
    ],
    ['name without end', call('tools/call', { name: 'x'.repeat(70_000) }), 'params_invalid'],
    ['revision as a number', call('ping', { _meta: { 'io.modelcontextprotocol/protocolVersion': 1 } }), 'params_invalid'],
    ['two methods', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', 'json_ambiguous'],
    ['Method beside method', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', 'json_ambiguous'],
    ['PARAMS instead of params', '{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}', 'json_ambiguous'],
    ['paramſ, which folds to params', '{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{}}', 'json_ambiguous'],
    ['Name in params', call('tools/call', { name: 'a', Name: 'b' }), 'json_ambiguous'],
    [
      'look-alike revision',
      call('ping', { _meta: { 'io.modelcontextprotocol/protocolversion': '2026-07-28' } }),
      'json_ambiguous',
    ],
    ['two values', '{"jsonrpc":"2.0","id":1,"method":"ping"} {}', 'json_invalid'],
    ['byte order mark', '\ufeff{}', 'json_invalid'],
  ])('refuses %s', (_what, body, code) => {
    expect(codeOf(body)).toBe(code)
  })

  it('leaves what tools make of their arguments to them', () => {
    expect(codeOf(call('tools/call', { name: 'a', arguments: { Name: 1, name: 2, METHOD: 3 } }))).toBe('fine')
  })

  it('never crashes, and reads the method that JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), fc.jsonValue(), (id, method, params) => {
        const text = JSON.stringify({ jsonrpc: '2.0', id, method, params })
        if (codeOf(text) !== 'fine') return
        expect(parse(text).operations[0]?.method).toBe((JSON.parse(text) as { method: string }).method)
      }),
    )
  })
})

describe('what a careless reader could take for another message', () => {
  const at = {
    envelope: (key: string) => ({ ...call('ping'), [key]: 1 }),
    params: (key: string) => call('ping', { [key]: 1 }),
    ref: (key: string) => call('completion/complete', { ref: { type: 'ref/prompt', name: 'a', [key]: 'b' } }),
    filter: (key: string) => call('subscriptions/listen', { notifications: { [key]: ['file:///a'] } }),
  }

  it.each<[keyof typeof at, string]>([
    ...['jsonrpc', 'id', 'method', 'params', 'result', 'error'].map((key): ['envelope', string] => ['envelope', key]),
    ...['name', 'uri', 'arguments', 'ref', 'notifications', '_meta'].map((key): ['params', string] => ['params', key]),
    ...['type', 'name', 'uri'].map((key): ['ref', string] => ['ref', key]),
    ['filter', 'resourceSubscriptions'],
  ])('is refused: a look-alike of a key in %s, %s', (place, key) => {
    expect(codeOf(at[place](key.toUpperCase()))).toBe('json_ambiguous')
    expect(codeOf(at[place](`${key}\0x`))).toBe('json_ambiguous')
  })

  it.each<[string, unknown]>([
    ['params that are no object, of a method without a target', call('ping', ['a'])],
    ['_meta that is no object', call('ping', { _meta: [] })],
    ['a completion without a reference', call('completion/complete', {})],
    ['a completion without params', call('completion/complete')],
    [
      'a reference of unknown type that has all members',
      call('completion/complete', { ref: { type: 'x', name: 'a', uri: 'b' } }),
    ],
    ['notifications that are no object', call('subscriptions/listen', { notifications: ['a'] })],
    ['subscriptions in an object', call('subscriptions/listen', { notifications: { resourceSubscriptions: { a: 'b' } } })],
    ['a call without params', call('tools/call')],
    ['a name with a NUL', call('tools/call', { name: 'a\0b' })],
  ])('is refused: %s', (_what, message) => {
    expect(codeOf(message)).toBe('params_invalid')
  })

  it.each([
    ['a method beside an error', { ...call('ping'), error: {} }],
    ['a response without an id', { jsonrpc: '2.0', result: {} }],
    ['an id with an exponent', '{"jsonrpc":"2.0","id":1e2,"method":"ping"}'],
    ['a method with a NUL', call('ping\0')],
  ])('is no message: %s', (_what, message) => {
    expect(codeOf(message)).toBe('message_invalid')
  })
})

describe('what is read at the bounds', () => {
  const listen = (uris: readonly string[]) => call('subscriptions/listen', { notifications: { resourceSubscriptions: uris } })

  it.each(['1.0', '-7.00'])('an integer with a fraction of nothing as an id: %s', (id) => {
    const { operations } = parseMessages(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`, limits)
    expect(operations).toMatchObject([{ kind: 'request', id }])
  })

  it.each([12, -1, 0])('an integer as an id: %i', (id) => {
    expect(parse({ jsonrpc: '2.0', id, method: 'ping' }).operations[0]?.id).toBe(String(id))
  })

  it('_meta without a revision', () => {
    expect(parse(call('ping', { _meta: { progressToken: 1 } })).revision).toBeUndefined()
  })

  it.each([
    ['as many members as a batch may have', Array.from({ length: 50 }, () => call('ping')), 50],
    ['as many targets as policy looks at, more than members of a batch', listen(Array.from({ length: 1000 }, () => 'a:1')), 1000],
    ['targets of 64 KiB', call('tools/call', { name: 'x'.repeat(64 * 1024) }), 1],
    ['an id of 1024 characters', { jsonrpc: '2.0', id: 'x'.repeat(1022), method: 'ping' }, 1],
    ['a filter that names nothing', listen([]), 1],
    ['no filter', call('subscriptions/listen'), 1],
    ['an empty filter', call('subscriptions/listen', { notifications: {} }), 1],
  ])('%s', (_what, message, operations) => {
    expect(parse(message).operations).toHaveLength(operations)
  })

  it('the targets of a batch that begins with white space', () => {
    const { operations } = parse(` \n${JSON.stringify([listen(['file:///a'])])}`)
    expect(operations).toMatchObject([{ targetKind: 'resource', target: 'file:///a' }])
  })
})

describe('a refused message is logged with its reason', () => {
  const manyTargets = Array.from({ length: 1001 }, () => 'a:1')
  const completing = (more: object) => call('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{x}' }, ...more })

  it.each<[string, string, unknown]>([
    ['message_invalid', 'batch_size', []],
    ['message_invalid', 'not_json_rpc', ['ping']],
    ['message_invalid', 'not_json_rpc', { ...call('ping'), jsonrpc: '1.0' }],
    ['message_invalid', 'not_json_rpc', { ...call('ping'), result: {} }],
    ['message_invalid', 'not_json_rpc', { jsonrpc: '2.0', id: 1 }],
    ['message_invalid', 'method_invalid', call('')],
    ['message_invalid', 'method_invalid', call('ping\0')],
    ['message_invalid', 'id_invalid', { ...call('ping'), id: null }],
    ['message_invalid', 'id_invalid', { ...call('ping'), id: 'x'.repeat(1025) }],
    ['message_invalid', 'id_invalid', { jsonrpc: '2.0', result: {} }],
    ['message_invalid', 'batch_size', Array.from({ length: 51 }, () => call('ping'))],
    ['params_invalid', 'type_wrong', call('tools/call', [])],
    ['params_invalid', 'type_wrong', call('tools/call')],
    ['params_invalid', 'type_wrong', call('ping', { _meta: 1 })],
    ['params_invalid', 'type_wrong', call('ping', { _meta: { 'io.modelcontextprotocol/protocolVersion': 1 } })],
    ['params_invalid', 'type_wrong', call('completion/complete')],
    ['params_invalid', 'type_wrong', completing({ context: 1 })],
    ['params_invalid', 'type_wrong', call('subscriptions/listen', { notifications: 1 })],
    ['params_invalid', 'type_wrong', call('subscriptions/listen', { notifications: { resourceSubscriptions: 1 } })],
    ['params_invalid', 'name_invalid', call('tools/call', { name: 'a\0' })],
    ['params_invalid', 'reference_unknown', call('completion/complete', { ref: { type: 'ref/tool', name: 'a' } })],
    ['params_invalid', 'contradictory', completing({ argument: { name: 'x', value: '1' }, context: { arguments: { x: '2' } } })],
    [
      'params_invalid',
      'targets_too_many',
      [
        call('subscriptions/listen', { notifications: { resourceSubscriptions: manyTargets.slice(0, 1000) } }),
        call('tools/call', { name: 'a' }),
      ],
    ],
    ['params_invalid', 'targets_too_long', call('tools/call', { name: 'x'.repeat(64 * 1024 + 1) })],
  ])('%s, %s', (code, reason, message) => {
    expect(() => parse(message)).toThrow(expect.objectContaining({ code, reason }))
  })
})
