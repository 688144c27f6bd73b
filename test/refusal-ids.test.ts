import { isJSONRPCErrorResponse, parseJSONRPCMessage } from '@modelcontextprotocol/client'
import { JSONRPCErrorResponseSchema, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openRawConnection } from './support/raw-client.ts'
import { type Attempt, createCall, createModern, formatAttempt, type Stage, startStage } from './support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ server: { legacy_clients: 'reject' } })
})
afterAll(() => stage.close())

/** What both SDKs make of the answer to an attempt. */
async function readError(attempt: Attempt) {
  const connection = await openRawConnection(stage.proxy.port)
  try {
    connection.write(formatAttempt(stage, attempt))
    const answer = await connection.readResponse({ method: attempt.method ?? 'POST' })
    const body: unknown = JSON.parse(answer.body.toString())
    expect(isJSONRPCErrorResponse(parseJSONRPCMessage(body))).toBe(true)
    for (const schema of [JSONRPCMessageSchema, JSONRPCErrorResponseSchema])
      expect(schema.safeParse(body).error, answer.body.toString()).toBeUndefined()
    const { id, error } = JSONRPCErrorResponseSchema.parse(body)
    return { status: answer.status, id, code: error.code }
  } finally {
    connection.destroy()
  }
}

const text = (members: string) => `{"jsonrpc":"2.0","id":"q",${members}}`
const deep = `${'['.repeat(200)}${']'.repeat(200)}`

it.each<[string, number, unknown]>([
  ['another version of JSON-RPC', -32600, { ...createCall('ping', undefined, 'q'), jsonrpc: '1.0' }],
  ['a method that is a number', -32600, { ...createCall('ping', undefined, 'q'), method: 1 }],
  ['a call and a result', -32600, { ...createCall('ping', undefined, 'q'), result: {} }],
  ['neither', -32600, { jsonrpc: '2.0', id: 'q' }],
  ['params as a list', -32602, createCall('tools/call', [], 'q')],
  ['no name', -32602, createCall('tools/call', {}, 'q')],
  ['a URI that is a number', -32602, createCall('resources/read', { uri: 1 }, 'q')],
  ['a reference of no type', -32602, createCall('completion/complete', { ref: {} }, 'q')],
  ['a name of any length', -32602, createCall('tools/call', { name: 'x'.repeat(70_000) }, 'q')],
  ['metadata that is a list', -32602, createCall('ping', { _meta: [] }, 'q')],
  ['a key twice', -32600, text('"method":"ping","method":"ping"')],
  ['a key twice deep inside', -32600, text('"method":"tools/call","params":{"name":"a","arguments":{"a":[{"b":1,"b":2}]}}')],
  ['a look-alike', -32600, text('"method":"ping","Method":"tools/call"')],
  ['half a character', -32600, text('"method":"tools/call","params":{"name":"\\ud800"}')],
  ['endless nesting', -32600, text(`"method":"tools/call","params":{"name":"a","arguments":{"a":${deep}}}`)],
])('a refusal for %s has the id of the request', async (_what, code, body) => {
  expect(await readError({ body })).toEqual({ status: 400, id: 'q', code })
})

it.each<[string, number, Attempt]>([
  [
    'headers that disagree',
    -32020,
    { ...createModern('tools/call', { name: 'echo' }, 'q'), headers: [['MCP-Protocol-Version', '2026-07-28']] },
  ],
  [
    'a version in the header alone',
    -32602,
    {
      body: createCall('ping', undefined, 'q'),
      headers: [
        ['MCP-Protocol-Version', '2026-07-28'],
        ['Mcp-Method', 'ping'],
      ],
    },
  ],
  [
    'a header twice',
    -32020,
    {
      body: createCall('ping', undefined, 'q'),
      headers: [
        ['Mcp-Name', 'a'],
        ['Mcp-Name', 'a'],
      ],
    },
  ],
])('so has one for %s', async (_what, code, attempt) => {
  expect(await readError(attempt)).toEqual({ status: 400, id: 'q', code })
})

it.each<[number, string, Attempt]>([
  [400, 'no JSON', { body: '{"jsonrpc":"2.0","id":1,' }],
  [400, 'an id that is null', { body: { ...createCall('ping'), id: null } }],
  [400, 'two ids', { body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}' }],
  [400, 'an id in two spellings', { body: '{"jsonrpc":"2.0","id":1,"ID":2,"method":"ping"}' }],
  [400, 'a response that is none', { body: { jsonrpc: '2.0', id: 1, result: {}, error: {} } }],
  [401, 'no token', { body: createCall('ping'), token: undefined }],
  [401, 'another token', { body: createCall('ping'), token: 'x' }],
  [403, 'another origin', { body: createCall('ping'), headers: [['Origin', 'https://evil.example']] }],
  [403, 'a notification that is not permitted', { body: { jsonrpc: '2.0', method: 'tools/call', params: { name: 'drop_db' } } }],
  [404, 'another path', { body: createCall('ping'), target: '/elsewhere' }],
  [405, 'another method', { method: 'PUT' }],
  [415, 'another type', { body: createCall('ping'), headers: [['Content-Type', 'text/plain']] }],
])('a refusal (%i) for %s, where no id can be read, has none, and both SDKs read it', async (status, _what, attempt) => {
  expect(await readError(attempt)).toMatchObject({ status, id: undefined })
})
