import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import {
  callModern,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendModern,
  textOf,
} from './support/mcp-requests.ts'
import { waitUntil } from './support/processes.ts'

let gate: StdioGate
afterEach(() => gate.close())

const result = '{"content":[{"type":"text","text":"here"}]}'
const harmless = [
  ['null for the error that there is not', `{"jsonrpc":"2.0","id":ID,"result":${result},"error":null}`],
  ['null for the error, first of all', `{"error":null,"jsonrpc":"2.0","id":ID,"result":${result}}`],
  ['no version', `{"id":ID,"result":${result}}`],
  ['neither of the two as it should be', `{"error":null,"id":ID,"result":${result}}`],
  ['its id as a string', `{"jsonrpc":"2.0","id":"ID","result":${result}}`],
  ['its id with a fraction of nothing', `{"jsonrpc":"2.0","id":ID.0,"result":${result}}`],
  ['a byte order mark before it', `\ufeff{"jsonrpc":"2.0","id":ID,"result":${result}}`],
  ['a log line glued to its front', `INFO [1] {"a":1} ready{"jsonrpc":"2.0","id":ID,"result":${result}}`],
  ['a log line glued to its end', `{"jsonrpc":"2.0","id":ID,"result":${result}}INFO done`],
  ['a raw tab in a string', `{"jsonrpc":"2.0","id":ID,"x":"a\tb","result":${result}}`],
  ['half a surrogate pair', `{"jsonrpc":"2.0","id":ID,"result":{"x":"\\ud800",${result.slice(1)}}`],
  ['a repeated key deep inside', `{"jsonrpc":"2.0","id":ID,"result":{"x":{"a":{"b":1,"b":2}},${result.slice(1)}}`],
  ['600 arrays in it', `{"jsonrpc":"2.0","id":ID,"result":{"x":${'['.repeat(600)}${']'.repeat(600)},${result.slice(1)}}`],
] as const

const unreadable = [
  ['NaN in it', '{"jsonrpc":"2.0","id":ID,"result":{"x":NaN}}'],
  ['NaN in it and its id at the end', '{"result":{"x":NaN},"jsonrpc":"2.0","id":ID}'],
  ['both a result and an error', '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"x"}}'],
  ['neither', '{"jsonrpc":"2.0","id":ID}'],
  ['another version', '{"jsonrpc":"1.0","id":ID,"result":{}}'],
  ['no end', '{"jsonrpc":"2.0","id":ID,"result":{"x":"unfinished'],
  ['an unfinished escape', '{"jsonrpc":"2.0","id":ID,"result":{"x":"\\u12"}}'],
] as const

describe.each(['session', 'shared'] as const)('an answer with a plain id (a child per %s)', (processPer) => {
  const open = async (env: Record<string, string> = {}) => {
    gate = await openStdioGate({ command: scripted, processPer, env })
    return gate.origin
  }

  it.each(harmless)('reaches old and new clients although it has %s', async (_what, line) => {
    const origin = await open()
    const session = await openSession(origin)
    const old = await readAnswer(session.post(createToolCall('write', { line }, undefined, 7)))
    const modern = await readAnswer(callModern(origin, 'write', { line }, { id: 'new' }))
    expect([old.id, textOf(old), modern.id, textOf(modern)]).toEqual([7, 'here', 'new', 'here'])
    for (const answer of [old, modern]) expect(answer).toMatchObject({ jsonrpc: '2.0' })
    for (const answer of [old, modern]) expect('error' in answer).toBe(false)
  })

  it.each(unreadable)('fails its request instead of keeping it waiting when it has %s', async (_what, line) => {
    const origin = await open()
    const session = await openSession(origin)
    const old = await readAnswer(session.post(createToolCall('write', { line }, undefined, 7)))
    const modern = await readAnswer(callModern(origin, 'write', { line }, { id: 'new' }))
    expect(old).toMatchObject({ id: 7, error: { data: { error: 'upstream_invalid_response' } } })
    expect(modern).toMatchObject({ id: 'new', error: { data: { error: 'upstream_invalid_response' } } })
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it.each(harmless)('reaches clients of a server of 2026-07-28 although it has %s', async (_what, line) => {
    const origin = await open({ ERA: 'modern' })
    const answer = await readAnswer(callModern(origin, 'write', { line }, { id: 'new' }))
    expect([answer.id, textOf(answer)]).toEqual(['new', 'here'])
  })

  it('in a batch fails alone', async () => {
    const session = await openSession(await open())
    const line = `[{"jsonrpc":"1.0","id":"other","result":{}},{"jsonrpc":"2.0","id":ID,"result":${result}}]`
    expect(textOf(await readAnswer(session.post(createToolCall('write', { line }))))).toBe('here')
  })
})

describe('an answer whose id is written as a string', () => {
  it('is that of the request that has this string for its id, if there is one', async () => {
    gate = await openStdioGate({ command: scripted })
    const session = await openSession(gate.origin, { revision: '2025-06-18' })
    const number = session.post(createToolCall('wait', {}, undefined, 7))
    await gate.waitForStderr('waiting')
    const line = `{"jsonrpc":"2.0","id":"7","result":${result}}`
    const string = await readAnswer(session.post(createToolCall('write', { line }, undefined, '7')))
    expect([string.id, textOf(string)]).toEqual(['7', 'here'])
    await session.call('release')
    expect(await readAnswer(number)).toMatchObject({ id: 7 })
  })
})

describe('a log line glued to an answer', () => {
  it('goes to the log', async () => {
    gate = await openStdioGate({ command: scripted })
    const session = await openSession(gate.origin)
    await session.post(createToolCall('write', { line: `INFO ready{"jsonrpc":"2.0","id":ID,"result":${result}}` }))
    expect(await gate.waitForStderr('INFO ready')).toContain('around a message')
  })
})

describe.each(['session', 'shared'] as const)('a request that is not answered (a child per %s)', (processPer) => {
  const open = async (env: Record<string, string> = {}) => {
    gate = await openStdioGate({ command: scripted, processPer, env, requestSeconds: 2 })
    return gate.origin
  }

  it('fails in time, and the server is told', async () => {
    const session = await openSession(await open(), { revision: '2025-06-18' })
    const response = await session.post(createToolCall('hang', {}, undefined, 'mine'), { accept: 'application/json' })
    expect(response.status).toBe(504)
    expect(await readAnswer(response)).toMatchObject({ id: 'mine', error: { data: { error: 'upstream_timeout' } } })
    await gate.waitForStderr('cancelled')
    expect(String(gate.records.at(-1)?.cause)).toContain('within 2 seconds')
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it('fails in time for clients of 2026-07-28', async () => {
    const response = await callModern(await open({ ERA: 'modern' }), 'hang', {}, { id: 'mine', accept: 'application/json' })
    expect(response.status).toBe(504)
    expect(await readAnswer(response)).toMatchObject({ id: 'mine', error: { data: { error: 'upstream_timeout' } } })
  })

  it('goes on for as long as there is progress', async () => {
    const slow = { count: 9, pause: 300 }
    const session = await openSession(await open())
    const old = session.post(createToolCall('progress', slow, { progressToken: 1 }))
    const modern = callModern(gate.origin, 'progress', slow, { meta: { progressToken: 2 } })
    expect(textOf(await readAnswer(old))).toBe('made 9')
    expect(textOf(await readAnswer(modern))).toBe('made 9')
  })

  it('is not what a subscription is', async () => {
    const notifications = { toolsListChanged: true }
    const origin = await open()
    const events = readEvents(await sendModern(origin, 'subscriptions/listen', { notifications }))
    await events.next()
    expect((await callModern(origin, 'hang', {}, { accept: 'application/json' })).status).toBe(504)
    await readAnswer(callModern(origin, 'changed'))
    expect(JSON.parse((await events.next()).value!.data).method).toBe('notifications/tools/list_changed')
    await events.return(undefined)
  })
})

describe('an answer that has begun as a stream and fails', () => {
  it('is logged with the reason', async () => {
    gate = await openStdioGate({ command: scripted })
    const session = await openSession(gate.origin)
    const answer = await readAnswer(
      session.post(createToolCall('exit', { code: 7 }, undefined, 'mine'), { accept: 'text/event-stream' }),
    )
    expect(answer).toMatchObject({ id: 'mine', error: { data: { error: 'upstream_ended' } } })
    await waitUntil(() => gate.records.at(-1)?.code === 'upstream_ended', 'it is logged')
    expect(gate.records.at(-1)?.status).toBe(200)
    expect(String(gate.records.at(-1)?.cause)).toContain('exited with 7')
  })
})

describe('a client that writes its ids as 7.0', () => {
  it.each(['session', 'shared'] as const)('is answered (a child per %s)', async (processPer) => {
    gate = await openStdioGate({ command: scripted, processPer })
    const session = await openSession(gate.origin)
    const call = '{"jsonrpc":"2.0","id":7.0,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}'
    const answer = await readAnswer(session.post(call))
    expect([answer.id, textOf(answer)]).toEqual([7, 'x'])
  })
})

describe('progress of a request that is answered (2025-11-25, basic/utilities/progress)', () => {
  it.each(['session', 'shared'] as const)('goes nowhere (a child per %s)', async (processPer) => {
    gate = await openStdioGate({ command: scripted, processPer })
    const session = await openSession(gate.origin)
    const events = readEvents(await session.get())
    const lines = [
      '{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}',
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":TOKEN,"progress":1}}',
    ]
    const call = createToolCall('write', { line: lines.join('\n') }, { progressToken: 'p' }, 'w')
    expect((await readMessages(await session.post(call))).map(({ id }) => id)).toEqual(['w'])
    await session.call('changed')
    expect(JSON.parse((await events.next()).value!.data).method).toBe('notifications/tools/list_changed')
    await events.return(undefined)
  })
})
