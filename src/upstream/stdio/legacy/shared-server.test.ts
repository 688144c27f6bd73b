import { describe, expect, it } from 'vitest'
import {
  createCountingMemory,
  createFakeSource,
  createMessage,
  createRecordingSink,
  settle,
} from '../../../../test/support/fake-processes.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { SharedServer } from './shared-server.ts'

function open() {
  const source = createFakeSource()
  source.onRead = (process, { id, method }) => {
    const result = { protocolVersion: '2025-11-25', capabilities: { tools: {}, logging: {}, tasks: {} } }
    if (method === 'initialize') queueMicrotask(() => process.say({ id, result }))
  }
  const server = new SharedServer(source, 10_000)
  const connect = () => {
    const heard: string[] = []
    const memory = createCountingMemory()
    const events = { isListening: true, message: ({ method }: ChildMessage) => void heard.push(method), ended: () => undefined }
    const connection = server.connect(events, memory)
    const send = async (method: string, params: object = {}) => {
      const client = createRecordingSink()
      const pending = connection.request(createMessage(method, params), client.sink)
      await settle()
      return { ...client, pending }
    }
    return { connection, memory, heard, send }
  }
  return { source, server, connect }
}

const updated = { method: 'notifications/resources/updated', params: { uri: 'file:///a' } }
const subscribe = async (session: ReturnType<ReturnType<typeof open>['connect']>, uri = 'file:///a') =>
  session.send('resources/subscribe', { uri })

describe('a process that all sessions share', () => {
  it('is initialized once, and says of itself nothing that belongs to one client', async () => {
    const { source, connect } = open()
    const sessions = [connect(), connect()]
    for (const { send } of sessions) {
      const { responses } = await send('initialize', { protocolVersion: '2025-11-25' })
      expect(responses[0].result.capabilities).toEqual({ tools: {} })
    }
    expect(source.processes.map(({ read }) => read.map(({ method }) => method))).toEqual([
      ['initialize', 'notifications/initialized'],
    ])
  })

  it('is one for each revision', async () => {
    const { source, connect } = open()
    for (const protocolVersion of ['2025-06-18', '2025-11-25', '2025-11-25', '2099-01-01'])
      await connect().send('initialize', { protocolVersion })
    expect(source.processes.map(({ read }) => read[0].params.protocolVersion)).toEqual(['2025-06-18', '2025-11-25'])
  })

  it.each(['logging/setLevel', 'tasks/list', 'tasks/get'])('is not asked for %s', async (method) => {
    const { source, connect } = open()
    const { responses } = await connect().send(method)
    expect([responses[0].error.code, source.processes[0]!.read.length]).toEqual([-32601, 2])
  })

  it('has its own requests refused, and its log messages dropped', async () => {
    const { source, connect } = open()
    const { send, heard } = connect()
    await send('tools/list')
    source.processes[0]!.say({ id: 'q', method: 'sampling/createMessage', params: {} })
    source.processes[0]!.say({ method: 'notifications/message', params: {} })
    expect([source.processes[0]!.read.at(-1), heard]).toMatchObject([{ id: 'q', error: { code: -32601 } }, []])
  })

  it('tells all sessions of changed lists, and those that subscribed of changed resources', async () => {
    const { source, connect } = open()
    const [subscriber, other] = [connect(), connect()]
    await subscribe(subscriber)
    await other.send('tools/list')
    source.processes[0]!.say(updated)
    source.processes[0]!.say({ method: 'notifications/tools/list_changed' })
    expect([subscriber.heard.length, other.heard]).toEqual([2, ['notifications/tools/list_changed']])
  })

  it('hears of the end of a subscription when the last session that has it ends it', async () => {
    const { source, connect } = open()
    const [one, two, stranger] = [connect(), connect(), connect()]
    await subscribe(one)
    await subscribe(two)
    const process = source.processes[0]!
    const before = process.read.length
    for (const { send } of [stranger, one]) {
      const { responses } = await send('resources/unsubscribe', { uri: 'file:///a' })
      expect(responses[0].result).toEqual({})
    }
    expect(process.read.length).toBe(before)
    two.connection.end()
    await settle()
    expect(process.read.at(-1)).toMatchObject({ method: 'resources/unsubscribe', params: { uri: 'file:///a' } })
    expect([one.memory.held, two.memory.held]).toEqual([0, 0])
  })

  it('is not subscribed to what it refused', async () => {
    const { source, connect } = open()
    const session = connect()
    await subscribe(session)
    const process = source.processes[0]!
    process.say({ id: process.read.at(-1).id, error: { code: -32602, message: 'no' } })
    process.say(updated)
    expect([session.heard, session.memory.held]).toEqual([[], 0])
  })

  it('ends when no session has used it for a while, and the next one starts another', async () => {
    const { source, server, connect } = open()
    const { connection, send } = connect()
    await send('initialize', { protocolVersion: '2025-11-25' })
    source.clock.advance(1000)
    server.sweep(10)
    expect([source.processes[0]!.isOver, server.spares()]).toEqual([false, []])
    connection.end()
    expect(server.spares()).toHaveLength(1)
    server.sweep(10)
    expect(source.processes[0]!.isOver).toBe(true)
    await connect().send('initialize', { protocolVersion: '2025-11-25' })
    expect(source.processes).toHaveLength(2)
  })

  it('does not get a request that was cancelled while it started', async () => {
    const { source, connect } = open()
    const { connection } = connect()
    const client = createRecordingSink()
    const pending = connection.request(createMessage('tools/list'), client.sink)
    if (pending.kind !== 'unsent') pending.cancel('gone')
    await settle()
    expect(source.processes[0]!.read.map(({ method }) => method)).not.toContain('tools/list')
  })

  it('that ends loses the pending requests of a session with it, and is started again with its subscriptions', async () => {
    const { source, connect } = open()
    const session = connect()
    await subscribe(session)
    source.processes[0]!.answer('resources/subscribe', {})
    const { failures } = await session.send('tools/list')
    source.processes[0]!.die()
    expect(failures).toEqual(['upstream_ended'])
    await session.send('tools/list')
    expect(source.processes[1]!.read.map(({ method }) => method)).toEqual([
      'initialize',
      'notifications/initialized',
      'resources/subscribe',
      'tools/list',
    ])
  })
})
