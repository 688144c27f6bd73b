import { describe, expect, it } from 'vitest'
import {
  createCountingMemory,
  createFakeSource,
  createMessage,
  createRecordingSink,
  type FakeSource,
  settle,
} from '../../../../test/support/fake-processes.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { ModernRequest } from '../modern/modern-request.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import { Translation } from './translation.ts'

const NO_EVENTS = { message: () => undefined, ended: () => undefined }
const initialized = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } },
  serverInfo: { name: 's', version: '1' },
}

function open(isShared = false) {
  const source = createFakeSource()
  source.onRead = (process, { id, method }) => {
    if (method === 'initialize') queueMicrotask(() => process.say({ id, result: initialized }))
  }
  const changed: string[] = []
  const translation = new Translation({
    clock: source.clock,
    startChannel: (owner) => Channel.start(source, owner, NO_EVENTS),
    startMs: 10_000,
    isShared,
    toolsChanged: (poolKey) => void changed.push(poolKey),
  })
  return { source, translation, changed, memory: createCountingMemory() }
}

type Stage = ReturnType<typeof open>

/** Sends a request of a client that can be asked for elicitation. */
async function send(
  { translation, memory }: Stage,
  method: string,
  params: Record<string, unknown> = {},
  {
    user = 'alice',
    id = 'c',
    capabilities = { elicitation: {} } as Record<string, unknown>,
    logLevel = undefined as string | undefined,
  } = {},
) {
  const message = createMessage(method, { ...params, _meta: { [META_KEYS.protocolVersion]: '2026-07-28' } }, id)
  const envelope = { protocolVersion: '2026-07-28', clientInfo: undefined, capabilities, logLevel }
  const request = {
    message,
    envelope,
    principalKey: user,
    owner: { key: user },
    poolKey: user,
    memory,
  } as unknown as ModernRequest
  const client = createRecordingSink()
  const pending = await translation.request(request, client.sink)
  return { ...client, pending, client }
}

const question = { method: 'elicitation/create', id: 'q', params: { message: 'why?', requestedSchema: {} } }
const call = { name: 'ask' }
const last = ({ processes }: FakeSource) => processes.at(-1)!

async function askAndWait(stage: Stage) {
  const first = await send(stage, 'tools/call', call)
  last(stage.source).say(question)
  await settle()
  return { first, requestState: first.responses[0].result.requestState }
}

describe('a call during which the server asks something', () => {
  it('is answered with what is asked, and goes on with the answer in the next request', async () => {
    const stage = open()
    const { first, requestState } = await askAndWait(stage)
    expect(first.responses[0].result).toMatchObject({
      resultType: 'input_required',
      inputRequests: { 1: { method: 'elicitation/create', params: { message: 'why?' } } },
    })
    const second = await send(
      stage,
      'tools/call',
      { ...call, requestState, inputResponses: { 1: { action: 'accept' } } },
      { id: 'd' },
    )
    expect(last(stage.source).read.at(-1)).toEqual({ jsonrpc: '2.0', id: 'q', result: { action: 'accept' } })
    last(stage.source).answer('tools/call', { content: [] })
    expect(second.responses[0]).toMatchObject({ id: 'd', result: { resultType: 'complete' } })
  })

  it('asks again for what was not answered', async () => {
    const stage = open()
    const { requestState } = await askAndWait(stage)
    const second = await send(stage, 'tools/call', { ...call, requestState, inputResponses: { 9: {} } })
    expect(second.responses[0].result).toMatchObject({ resultType: 'input_required', inputRequests: { 1: {} } })
    expect(second.responses[0].result.requestState).not.toBe(requestState)
  })

  it.each([
    ['another user', 'tools/call', call, 'bob'],
    ['another method', 'prompts/get', call, 'alice'],
    ['other parameters', 'tools/call', { name: 'other' }, 'alice'],
  ])('can’t be continued by %s', async (_, method, params, user) => {
    const stage = open()
    const { requestState } = await askAndWait(stage)
    const { responses } = await send(stage, method, { ...params, requestState, inputResponses: { 1: {} } }, { user })
    expect(responses[0].error.code).toBe(-32602)
  })

  it('can be continued once', async () => {
    const stage = open()
    const { requestState } = await askAndWait(stage)
    const retry = { ...call, requestState, inputResponses: { 1: {} } }
    await send(stage, 'tools/call', retry)
    expect((await send(stage, 'tools/call', retry)).responses[0].error.code).toBe(-32602)
  })

  it('is cancelled after five minutes, with its question', async () => {
    const stage = open()
    const { requestState } = await askAndWait(stage)
    stage.source.clock.advance(5 * 60_000 - 1)
    expect(last(stage.source).read.at(-1).method).toBe('tools/call')
    stage.source.clock.advance(1)
    expect(last(stage.source).read.slice(-2)).toMatchObject([
      { method: 'notifications/cancelled' },
      { id: 'q', error: { code: -32603 } },
    ])
    expect((await send(stage, 'tools/call', { ...call, requestState })).responses[0].error.code).toBe(-32602)
  })

  it('whose answer comes before the input gets it with the next request, and its memory back', async () => {
    const stage = open()
    const { requestState } = await askAndWait(stage)
    last(stage.source).answer('tools/call', { content: ['early'] })
    expect(stage.memory.held).toBeGreaterThan(0)
    const second = await send(stage, 'tools/call', { ...call, requestState, inputResponses: { 1: {} } }, { id: 'd' })
    expect(second.responses[0]).toMatchObject({ id: 'd', result: { content: ['early'] } })
    expect(stage.memory.held).toBe(0)
  })

  it('gives the memory of an early answer back when no client comes for it', async () => {
    const stage = open()
    await askAndWait(stage)
    last(stage.source).answer('tools/call', { content: ['early'] })
    stage.source.clock.advance(5 * 60_000)
    expect([stage.memory.held, stage.source.clock.pending]).toEqual([0, 0])
  })

  it('is not cancelled by the end of the request that said so', async () => {
    const stage = open()
    const { first, requestState } = await askAndWait(stage)
    if (first.pending.kind !== 'unsent') first.pending.cancel('gone')
    expect(last(stage.source).read.at(-1).method).toBe('tools/call')
    const second = await send(stage, 'tools/call', { ...call, requestState, inputResponses: { 1: {} } })
    if (second.pending.kind !== 'unsent') second.pending.cancel('gone')
    expect(last(stage.source).read.at(-1)).toMatchObject({ method: 'notifications/cancelled', params: { reason: 'gone' } })
  })

  it('has a hundred questions at most, and a million characters of them', async () => {
    const stage = open()
    await send(stage, 'tools/call', call)
    for (let i = 0; i < 101; i++) last(stage.source).say({ ...question, id: i })
    expect(last(stage.source).read.at(-1)).toMatchObject({ id: 100, error: { code: -32603 } })
    const other = open()
    await send(other, 'tools/call', call)
    last(other.source).say({ ...question, params: { message: 'x'.repeat(1024 * 1024) } })
    expect(last(other.source).read.at(-1)).toMatchObject({ id: 'q', error: { code: -32603 } })
  })

  it('refuses questions that the client has not declared to answer', async () => {
    const stage = open()
    const { responses } = await send(stage, 'tools/call', call)
    last(stage.source).say({ ...question, method: 'roots/list' })
    await settle()
    expect(last(stage.source).read.at(-1)).toMatchObject({ id: 'q', error: { code: -32601 } })
    expect(responses).toEqual([])
  })
})

describe('a process of a legacy server', () => {
  it('has one call at a time that may ask, and others beside it', async () => {
    const stage = open()
    await send(stage, 'tools/call', call)
    await send(stage, 'tools/list')
    expect(stage.source.processes).toHaveLength(1)
    await send(stage, 'tools/call', call)
    expect(stage.source.processes).toHaveLength(2)
    stage.source.processes[0]!.answer('tools/call', {})
    await send(stage, 'tools/call', call)
    expect(stage.source.processes).toHaveLength(2)
  })

  it('has a request with a log level alone, and gets that level', async () => {
    const stage = open()
    await send(stage, 'tools/list')
    await send(stage, 'tools/list', {}, { logLevel: 'debug' })
    expect(stage.source.processes).toHaveLength(2)
    expect(last(stage.source).read).toContainEqual(
      expect.objectContaining({ method: 'logging/setLevel', params: { level: 'debug' } }),
    )
  })

  it('takes a request with a log level as soon as it has answered a request of our own', async () => {
    const stage = open()
    for (let i = 0; i < 4; i++) await send(stage, 'tools/list', {}, { logLevel: 'debug' })
    for (const process of stage.source.processes) process.answer('tools/list', {})
    const waiting = send(stage, 'prompts/list', {}, { logLevel: 'debug' })
    await settle()
    stage.source.processes[2]!.answer('logging/setLevel', {})
    await waiting
    expect(stage.source.processes[2]!.read.at(-1)).toMatchObject({ method: 'prompts/list' })
  })

  it('serves clients with the same capabilities, of one user', async () => {
    const stage = open()
    await send(stage, 'tools/list')
    await send(stage, 'tools/list')
    expect(stage.source.processes).toHaveLength(1)
    await send(stage, 'tools/list', {}, { capabilities: { sampling: {} } })
    await send(stage, 'tools/list', {}, { user: 'bob' })
    expect(stage.source.processes.map(({ key }) => key)).toEqual(['alice', 'alice', 'bob'])
  })

  it('that principals share is asked for no log messages, and asks nothing', async () => {
    const stage = open(true)
    await send(stage, 'tools/call', call, { logLevel: 'debug' })
    await send(stage, 'tools/call', call)
    expect(stage.source.processes).toHaveLength(1)
    last(stage.source).say(question)
    expect(last(stage.source).read.at(-1)).toMatchObject({ id: 'q', error: { code: -32601 } })
    expect(last(stage.source).read.map(({ method }) => method)).not.toContain('logging/setLevel')
  })

  it('that does not initialize in time is ended', async () => {
    const stage = open()
    stage.source.onRead = () => undefined
    const failed = expect(send(stage, 'tools/list')).rejects.toMatchObject({ code: 'upstream_timeout' })
    await settle()
    stage.source.clock.advance(10_000)
    await failed
    expect([last(stage.source).isOver, stage.source.silences]).toEqual([true, 1])
  })

  it('is not pinged, and its tools change for its users', async () => {
    const stage = open()
    await send(stage, 'tools/call', call)
    last(stage.source).say({ method: 'ping', id: 'p' })
    expect(last(stage.source).read.at(-1)).toEqual({ jsonrpc: '2.0', id: 'p', result: {} })
    last(stage.source).say({ method: 'notifications/tools/list_changed' })
    expect(stage.changed).toEqual(['alice'])
  })
})

describe('a request of 2026-07-28', () => {
  it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/get'])('%s is not known', async (method) => {
    expect((await send(open(), method)).responses[0].error.code).toBe(-32601)
  })

  it('that has to be repeated after a URL was visited is sent again', async () => {
    const stage = open()
    const capabilities = { elicitation: { url: {} } }
    const first = await send(stage, 'tools/call', call, { capabilities })
    const error = { code: -32042, message: '', data: { elicitations: [{ mode: 'url', url: 'https://x.example' }] } }
    last(stage.source).say({ id: last(stage.source).read.at(-1).id, error })
    const { requestState, inputRequests } = first.responses[0].result
    expect(inputRequests[1].params.url).toBe('https://x.example')
    const stolen = await send(stage, 'tools/call', { ...call, requestState }, { capabilities, user: 'bob' })
    expect(stolen.responses[0].error.code).toBe(-32602)
    const second = await send(stage, 'tools/call', { ...call, requestState }, { capabilities })
    last(stage.source).answer('tools/call', { content: [] })
    expect(second.responses[0].result.resultType).toBe('complete')
    expect((await send(stage, 'tools/call', { ...call, requestState }, { capabilities })).responses[0].error.code).toBe(-32602)
  })

  it('whose URL the client can’t open says what it lacks', async () => {
    const stage = open()
    const { responses } = await send(stage, 'tools/call', call)
    const error = { code: -32042, message: '', data: { elicitations: [{ mode: 'url', url: 'https://x.example' }] } }
    last(stage.source).say({ id: last(stage.source).read.at(-1).id, error })
    expect(responses[0].error).toMatchObject({ code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } })
  })
})
