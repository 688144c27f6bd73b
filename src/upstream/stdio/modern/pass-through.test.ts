import { describe, expect, it } from 'vitest'
import {
  createCountingMemory,
  createFakeSource,
  createMessage,
  createRecordingSink,
  type FakeSource,
  settle,
} from '../../../../test/support/fake-processes.ts'
import { createCall } from '../../../../test/support/fake-reply.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import { cancelRequest, type PendingRequest } from '../channel/pending-request.ts'
import type { ModernRequest } from './modern-request.ts'
import type { OwnedIds } from './owned-ids.ts'
import { ParamHeaders } from './param-headers.ts'
import { createPassThrough } from './pass-through.ts'

const NO_EVENTS = { message: () => undefined, ended: () => undefined }

/** Ids that only show whose they are. */
const idsOf = (user: string): OwnedIds => ({
  seal: (value) => `${user}:${value}`,
  open: (sealed) => (sealed.startsWith(`${user}:`) ? sealed.slice(user.length + 1) : undefined),
})

function open(isShared = false) {
  const source = createFakeSource()
  source.onRead = (process, { id, method }) => {
    if (method === 'server/discover') queueMicrotask(() => process.say({ id, result: {} }))
  }
  const changed: string[] = []
  const server = createPassThrough({
    clock: source.clock,
    startChannel: (owner) => Channel.start(source, owner, NO_EVENTS),
    startMs: 40_000,
    isShared,
    toolsChanged: (key) => void changed.push(key),
  })
  const send = async (method: string, params: object = {}, logLevel?: string) => {
    const client = createRecordingSink(method === 'subscriptions/listen' ? 'subscription' : 'response')
    const pending = await server.request(createRequest(method, params, logLevel), client.sink)
    return { ...client, pending }
  }
  return { source, server, changed, send }
}

function createRequest(method: string, params: object = {}, logLevel?: string): ModernRequest {
  const envelope = { protocolVersion: '2026-07-28', clientInfo: undefined, capabilities: {}, logLevel }
  const owner = {
    principalKey: 'alice',
    owner: { key: 'alice' },
    poolKey: 'alice',
    memory: createCountingMemory(),
    ids: idsOf('alice'),
  }
  return { message: createMessage(method, params), envelope, ...owner } as ModernRequest
}

describe('a request to a modern server', () => {
  it('has its owner’s ids opened, and gets those of its answer sealed', async () => {
    const { source, send } = open()
    const { responses } = await send('tools/call', { requestState: 'alice:s' })
    expect(source.processes[0]!.read.at(-1).params.requestState).toBe('s')
    source.processes[0]!.answer('tools/call', { resultType: 'task', taskId: 't', requestState: 'r' })
    expect(responses[0].result).toEqual({ resultType: 'task', taskId: 'alice:t', requestState: 'alice:r' })
  })

  it.each([
    ['tools/call', { requestState: 'bob:s' }],
    ['tasks/get', { taskId: 'bob:t' }],
    ['tasks/get', {}],
    ['subscriptions/listen', { notifications: { taskIds: ['alice:t', 'bob:t'] } }],
    ['subscriptions/listen', { notifications: { taskIds: 'alice:t' } }],
  ])('is refused with an id that its owner never got: %s %j', async (method, params) => {
    const { source, send } = open()
    const { responses } = await send(method, params)
    expect([responses[0].error.code, source.processes]).toEqual([-32602, []])
  })

  it('gets progress and nothing that belongs to subscriptions, and a subscription only what it named', async () => {
    const { source, send, changed } = open()
    const call = await send('tools/call', { _meta: { progressToken: 'p' } })
    const listen = await send('subscriptions/listen', { notifications: { toolsListChanged: true } })
    const [process] = source.processes
    const say = (method: string, id: number) =>
      process!.say({ method, params: { progressToken: id, _meta: { 'io.modelcontextprotocol/subscriptionId': id } } })
    for (const id of [2, 3])
      for (const method of ['notifications/progress', 'notifications/tools/list_changed', 'notifications/prompts/list_changed'])
        say(method, id)
    expect(call.related.map(({ method }) => method)).toEqual(['notifications/progress'])
    expect(listen.related.map(({ method }) => method)).toEqual(['notifications/tools/list_changed'])
    expect(changed).toContain('alice')
  })

  it('with a log level gets the log messages of its process, and has none where processes are shared', async () => {
    const alone = open()
    await alone.send('tools/call', {}, 'debug')
    await alone.send('tools/call', {}, 'debug')
    expect(alone.source.processes).toHaveLength(2)
    const shared = open(true)
    const { related } = await shared.send('tools/call', {}, 'debug')
    shared.source.processes[0]!.say({ method: 'notifications/message', params: {} })
    expect([related, shared.source.processes.length]).toEqual([[], 1])
  })
})

describe('a process of a modern server', () => {
  it('is asked for nothing else until it has answered its first request', async () => {
    const { source, send } = open()
    source.onRead = () => undefined
    const sent = send('tools/call')
    await settle()
    source.clock.advance(39_999)
    expect(source.processes[0]!.read.map(({ method }) => method)).toEqual(['server/discover'])
    source.processes[0]!.answer('server/discover', {})
    await sent
    expect(source.processes[0]!.read.at(-1).method).toBe('tools/call')
  })

  it('that does not answer it in time is ended, and the operator hears of it', async () => {
    const { source, send } = open()
    source.onRead = () => undefined
    const failed = expect(send('tools/call')).rejects.toMatchObject({ code: 'upstream_timeout' })
    await settle()
    source.clock.advance(40_000)
    await failed
    expect([source.processes[0]!.isOver, source.silences]).toEqual([true, 1])
  })
})

describe('a request with a log level that waits for a process', () => {
  it.each<[string, (source: FakeSource, pending: PendingRequest) => void]>([
    ['answered', ({ processes }) => processes[2]!.answer('tools/call', {})],
    ['failed', ({ processes }) => processes[2]!.die()],
    ['cancelled by its client', (_, pending) => cancelRequest(pending, 'the client has gone away')],
  ])('gets one as soon as another request is %s', async (_, end) => {
    const { source, send } = open()
    const requests = []
    for (let i = 0; i < 4; i++) requests.push(await send('tools/call', {}, 'debug'))
    const waiting = send('tools/list', {}, 'debug')
    await settle()
    end(source, requests[2]!.pending)
    await waiting
    expect(source.processes.filter(({ read }) => read.at(-1).method === 'tools/list')).toHaveLength(1)
  })
})

describe('a header that repeats a parameter', () => {
  const tools = [{ name: 'echo', inputSchema: { properties: { text: { 'x-mcp-header': 'Text' } } } }]

  function check(sent: string | undefined, value: unknown) {
    const source = createFakeSource()
    const listed: string[] = []
    const server = {
      request: async ({ message }: ModernRequest, sink: { response: (text: string, value: object) => void }) => {
        listed.push(message.method)
        sink.response('', { result: { tools } })
        return { kind: 'unsent' as const }
      },
      sweep: () => undefined,
      spares: () => [],
    }
    const headers = new ParamHeaders(source.clock, createCountingMemory)
    const request = { ...createRequest('tools/call', { name: 'echo', arguments: { text: value } }) }
    const call = createCall({}, { headers: sent === undefined ? [] : ['mcp-param-text', sent] })
    const checkOnce = () =>
      headers.check(call, request, server as never).then(
        () => 'agrees',
        ({ code }) => code,
      )
    return { source, listed, checkOnce }
  }

  it.each([
    ['a', 'a', 'agrees'],
    ['b', 'a', 'header_mismatch'],
    [undefined, 'a', 'header_mismatch'],
    [undefined, undefined, 'agrees'],
    [undefined, null, 'agrees'],
    ['1.0', 1, 'agrees'],
    ['1e0', 1, 'header_mismatch'],
    ['true', true, 'agrees'],
  ])('%j beside %j: %s', async (sent, value, outcome) => {
    expect(await check(sent, value).checkOnce()).toBe(outcome)
  })

  it('is checked by a list that is waited for half a minute, from when the server was asked', async () => {
    const source = createFakeSource()
    const asked = Promise.withResolvers<{ kind: 'unsent' }>()
    const server = { request: () => asked.promise }
    const headers = new ParamHeaders(source.clock, createCountingMemory)
    const checking = headers.check(createCall({}), createRequest('tools/call', { name: 'echo' }), server as never)
    let outcome: unknown
    checking.catch(({ code }) => {
      outcome = code
    })
    source.clock.advance(60_000)
    asked.resolve({ kind: 'unsent' })
    await settle()
    source.clock.advance(29_999)
    await settle()
    expect(outcome).toBeUndefined()
    source.clock.advance(1)
    await settle()
    expect(outcome).toBe('upstream_timeout')
  })

  it('is checked by a list of tools of the last minute', async () => {
    const { source, listed, checkOnce } = check('a', 'a')
    await checkOnce()
    source.clock.advance(60_000)
    await checkOnce()
    expect(listed).toEqual(['tools/list'])
    source.clock.advance(1)
    await checkOnce()
    expect(listed).toEqual(['tools/list', 'tools/list'])
  })
})
