import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { createCountingMemory, settle } from '../../../../test/support/fake-processes.ts'
import { createCall, createFakeReply, readData } from '../../../../test/support/fake-reply.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { TransferableRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { ServerEvents } from '../channel/server-connection.ts'
import { type ClientMessage, createClientMessage } from '../wire/client-messages.ts'
import { LegacyHttp, type LegacyHttpOptions } from './legacy-http.ts'

interface Server {
  readonly events: ServerEvents
  readonly requests: { message: ClientMessage; sink: RequestSink; cancelled: string[]; transfers: string[] }[]
  readonly told: string[]
  isEnded: boolean
}

/** An MCP endpoint whose sessions are connected to servers that a test plays. */
function open(more: Partial<LegacyHttpOptions> = {}) {
  const clock = createFakeClock()
  const servers: Server[] = []
  const http = new LegacyHttp({
    clock,
    isShared: false,
    openMemory: createCountingMemory,
    findRevisions: async () => undefined,
    startConnection: async (_key, events) => {
      const server: Server = { events, requests: [], told: [], isEnded: false }
      servers.push(server)
      return {
        flow: undefined,
        request(message, sink): TransferableRequest {
          const request = { message, sink, cancelled: [] as string[], transfers: [] as string[] }
          server.requests.push(request)
          return {
            kind: 'transferable',
            cancel: (reason) => void request.cancelled.push(reason),
            transferTo: ({ idKey }) => void request.transfers.push(idKey),
          }
        },
        tell: ({ text }) => void server.told.push(text),
        end() {
          server.isEnded = true
        },
      }
    },
    ...more,
  })
  const send = async (body: object | undefined, callOptions: Parameters<typeof createCall>[1] = {}) => {
    const reply = createFakeReply()
    await http.handle(createCall(body, callOptions), reply)
    return reply
  }
  return { http, clock, servers, send }
}

const initialize = (id: string | number = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
})
const call = (id: string | number, method = 'tools/call') => ({ jsonrpc: '2.0', id, method, params: {} })

function answer(server: Server, index: number, value: object = { result: {} }): void {
  const { message, sink } = server.requests[index]!
  const response = { jsonrpc: '2.0', id: JSON.parse(message.idKey), ...value }
  sink.response(JSON.stringify(response), response)
}

async function openSession(stage: ReturnType<typeof open>, protocolVersion = '2025-06-18') {
  const reply = await stage.send(initialize())
  const server = stage.servers.at(-1)!
  answer(server, 0, { result: { protocolVersion } })
  return { server, mcpSessionId: reply.headers['mcp-session-id'] as string, reply }
}

describe('an MCP session', () => {
  it('begins with initialize, whose answer carries its id', async () => {
    const stage = open()
    const { mcpSessionId, reply } = await openSession(stage)
    expect([reply.status, mcpSessionId.length]).toEqual([200, 32])
    const answered = await stage.send(call(2), { mcpSessionId })
    answer(stage.servers[0]!, 1)
    expect(JSON.parse(answered.body)).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
  })

  it('has no id when the server refuses, and is over', async () => {
    const stage = open()
    const reply = await stage.send(initialize())
    answer(stage.servers[0]!, 0, { error: { code: -32602, message: 'no' } })
    await settle()
    expect([reply.headers['mcp-session-id'], JSON.parse(reply.body).error.code, stage.servers[0]!.isEnded]).toEqual([
      undefined,
      -32602,
      true,
    ])
  })

  it('is refused with the revisions of a server that speaks newer ones only', async () => {
    const stage = open({ findRevisions: async () => ['2026-07-28'] })
    const reply = await stage.send(initialize())
    answer(stage.servers[0]!, 0, { error: { code: -32601, message: 'no' } })
    await settle()
    expect([reply.status, JSON.parse(reply.body).error]).toMatchObject([
      400,
      { code: -32022, data: { supported: ['2026-07-28'] } },
    ])
    expect((await stage.send(undefined)).status).toBe(405)
    expect(JSON.parse((await stage.send(call(1))).body).error.code).toBe(-32020)
  })

  it('is only for the principal that opened it', async () => {
    const stage = open()
    const { mcpSessionId } = await openSession(stage)
    await expect(stage.send(call(2), { mcpSessionId, user: 'bob' })).rejects.toMatchObject({ code: 'mcp_session_unknown' })
    await expect(stage.send(call(2), { mcpSessionId: 'x' })).rejects.toMatchObject({ code: 'mcp_session_unknown' })
    expect((await stage.send(call(2))).status).toBe(400)
  })

  it('goes to the next client that asks for the same when the first gives up, with the answer that it gets', async () => {
    const stage = open()
    const first = await stage.send(initialize('a'))
    first.leave()
    const second = await stage.send(initialize('b'))
    expect(stage.servers).toHaveLength(1)
    expect(stage.servers[0]!.requests[0]!.transfers).toEqual(['"a"', '"b"'])
    stage.servers[0]!.requests[0]!.sink.response('{"jsonrpc":"2.0","id":"b","result":{}}', { result: {} })
    expect([JSON.parse(second.body).id, second.headers['mcp-session-id']]).toEqual(['b', expect.any(String)])
  })

  it('does not go to one whose caller is another, or of whom its process was told something else', async () => {
    const stage = open()
    const of = (digest: string) => ({ callerVariables: { values: {}, digest } })
    const first = await stage.send(initialize('a'), of('blue'))
    first.leave()
    for (const other of [of('red'), {}, { ...of('blue'), user: 'bob' }]) await stage.send(initialize('b'), other)
    expect(stage.servers).toHaveLength(4)
    await stage.send(initialize('c'), of('blue'))
    expect(stage.servers).toHaveLength(4)
  })

  it('whose answer comes while no client waits keeps it for the next', async () => {
    const memory = createCountingMemory()
    const stage = open({ openMemory: () => memory })
    const first = await stage.send(initialize('a'))
    first.leave()
    answer(stage.servers[0]!, 0)
    expect(memory.held).toBeGreaterThan(0)
    const second = await stage.send(initialize('b'))
    expect([JSON.parse(second.body).id, memory.held]).toEqual(['b', 0])
  })

  it('is not kept for others when it shares a process', async () => {
    const stage = open({ isShared: true })
    const first = await stage.send(initialize())
    first.leave()
    expect(stage.servers[0]!.isEnded).toBe(true)
  })

  it('is no part of a batch when it begins', async () => {
    await expect(open().send([initialize(), call(2)])).rejects.toMatchObject({ code: 'message_invalid' })
  })

  it('ends with DELETE, with its server, and when it is idle', async () => {
    const stage = open()
    const one = await openSession(stage)
    expect((await stage.send(undefined, { method: 'DELETE', mcpSessionId: one.mcpSessionId })).status).toBe(200)
    expect(one.server.isEnded).toBe(true)
    const two = await openSession(stage)
    two.server.events.ended(new ProxyError('upstream_ended'))
    await expect(stage.send(call(2), { mcpSessionId: two.mcpSessionId })).rejects.toMatchObject({ code: 'mcp_session_unknown' })
    const three = await openSession(stage)
    stage.clock.advance(1000)
    stage.http.sweep(1000)
    expect(three.server.isEnded).toBe(false)
    stage.http.sweep(999)
    expect(three.server.isEnded).toBe(true)
  })

  it('is not idle while a request is pending, nor to be ended for another', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    expect(stage.http.spares()).toHaveLength(1)
    await stage.send(call(2), { mcpSessionId })
    stage.clock.advance(100_000)
    stage.http.sweep(1)
    expect([server.isEnded, stage.http.spares()]).toEqual([false, []])
  })

  it('is one of a thousand at most for a principal', async () => {
    const stage = open()
    for (let i = 0; i < 1000; i++) await stage.send(initialize(i))
    await expect(stage.send(initialize())).rejects.toMatchObject({ code: 'upstream_busy', reason: 'sessions_limit' })
    expect((await stage.send(initialize(), { user: 'bob' })).failure).toBeUndefined()
  })
})

describe('what the server sends by itself', () => {
  const changed = {
    method: 'notifications/tools/list_changed',
    text: '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
  }
  const asked = { kind: 'request', method: 'ping', text: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }

  it('goes with the newest request that is pending', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    const [older, newer] = [await stage.send(call(2), { mcpSessionId }), await stage.send(call(3), { mcpSessionId })]
    server.events.message(asked as never)
    expect([readData(older.body), readData(newer.body)]).toEqual([[], [{ jsonrpc: '2.0', id: 1, method: 'ping' }]])
  })

  it('goes with an older request whose client is there before the newest, whose client may come back', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage, '2025-11-25')
    const older = await stage.send(call(2), { mcpSessionId })
    const newer = await stage.send(call(3), { mcpSessionId })
    stage.clock.advance(25)
    newer.leave()
    server.events.message(asked as never)
    expect(readData(older.body)).toEqual(['', { jsonrpc: '2.0', id: 1, method: 'ping' }])
  })

  it('goes to the stream of a GET when it is a change of a list, or nothing is pending', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    expect(server.events.isListening).toBe(false)
    const stream = await stage.send(undefined, { mcpSessionId })
    expect(server.events.isListening).toBe(true)
    server.events.message(asked as never)
    const pending = await stage.send(call(2), { mcpSessionId })
    server.events.message(changed as never)
    expect([readData(stream.body).length, readData(pending.body)]).toEqual([2, []])
  })

  it('is kept for the stream of a GET that comes later', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    server.events.message(changed as never)
    expect(readData((await stage.send(undefined, { mcpSessionId })).body)).toHaveLength(1)
  })
})

describe('requests of a session', () => {
  it('are cancelled by their client, newest first where they have one id', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    const replies = [await stage.send(call(7), { mcpSessionId }), await stage.send(call(7), { mcpSessionId })]
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7, reason: 'enough' } }
    expect((await stage.send(cancel, { mcpSessionId })).status).toBe(202)
    expect(server.requests.slice(1).map(({ cancelled }) => cancelled)).toEqual([[], ['enough']])
    expect([replies[0]!.isEnded, replies[1]!.isEnded, server.told]).toEqual([false, true, []])
  })

  it('are cancelled when their client is gone and can’t come back', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    const reply = await stage.send(call(2), { mcpSessionId })
    reply.leave()
    expect(server.requests[1]!.cancelled).toEqual(['the client has gone away'])
  })

  it('can be resumed from 2025-11-25 on, and are cancelled half a minute after their client has gone', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage, '2025-11-25')
    const reply = await stage.send(call(2), { mcpSessionId })
    stage.clock.advance(25)
    const [, id = ''] = /^id: (.*)$/m.exec(reply.body) ?? []
    reply.leave()
    const headers = ['accept', 'text/event-stream', 'last-event-id', id]
    const resumed = await stage.send(undefined, { mcpSessionId, headers })
    stage.clock.advance(30_000)
    expect(server.requests[1]!.cancelled).toEqual([])
    answer(server, 1)
    expect(readData(resumed.body)).toEqual([{ jsonrpc: '2.0', id: 2, result: {} }])
    const lost = await stage.send(call(3), { mcpSessionId })
    stage.clock.advance(25)
    lost.leave()
    stage.clock.advance(30_000)
    expect(server.requests[2]!.cancelled).toEqual(['the client has gone away'])
  })

  it('of one batch have different ids', async () => {
    const stage = open()
    const { mcpSessionId } = await openSession(stage)
    await expect(stage.send([call(2), call(2)], { mcpSessionId })).rejects.toMatchObject({ code: 'message_invalid' })
  })

  it('are passed to the server with its notifications and responses', async () => {
    const stage = open()
    const { server, mcpSessionId } = await openSession(stage)
    const notification = { jsonrpc: '2.0', method: 'notifications/initialized' }
    expect((await stage.send(notification, { mcpSessionId })).status).toBe(202)
    expect(createClientMessage(server.told[0]!).method).toBe('notifications/initialized')
  })
})
