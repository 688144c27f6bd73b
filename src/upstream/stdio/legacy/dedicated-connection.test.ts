import { describe, expect, it } from 'vitest'
import { createFakeSource, createMessage, createRecordingSink } from '../../../../test/support/fake-processes.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { createClientMessage } from '../wire/client-messages.ts'
import { DedicatedConnection } from './dedicated-connection.ts'

async function open(isListening = true) {
  const source = createFakeSource()
  const heard: string[] = []
  const events = { isListening, message: ({ method }: ChildMessage) => void heard.push(method), ended: () => undefined }
  const connection = await DedicatedConnection.start({ source, owner: { key: 'alice' }, startMs: 10_000 }, events)
  return { source, heard, connection, process: source.processes[0]! }
}

const respond = (id: string) => createClientMessage(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))

describe('a process that serves one session', () => {
  it('gets responses to what it asked, once, and none to what it has cancelled or never asked', async () => {
    const { connection, process } = await open()
    process.say({ id: 'q', method: 'roots/list' })
    for (const id of ['never', 'q', 'q']) connection.tell(respond(id))
    expect(process.read).toEqual([{ jsonrpc: '2.0', id: 'q', result: {} }])
    process.say({ id: 'r', method: 'roots/list' })
    process.say({ method: 'notifications/cancelled', params: { requestId: 'r' } })
    connection.tell(respond('r'))
    expect(process.read).toHaveLength(1)
  })

  it('is answered a ping where no client is there, and else by its client', async () => {
    const alone = await open(false)
    alone.process.say({ id: 'p', method: 'ping' })
    expect([alone.process.read, alone.heard]).toEqual([[{ jsonrpc: '2.0', id: 'p', result: {} }], []])
    const { heard, process } = await open()
    process.say({ id: 'p', method: 'ping' })
    expect([process.read, heard]).toEqual([[], ['ping']])
  })

  it('is ended when it does not initialize in time, and an answer that comes later is ignored', async () => {
    const { source, connection, process } = await open()
    const { sink, failures, responses } = createRecordingSink()
    connection.request(createMessage('initialize'), sink)
    source.clock.advance(9999)
    expect(failures).toEqual([])
    source.clock.advance(1)
    process.answer('initialize', {})
    expect([failures, responses, process.isOver, source.silences]).toEqual([['upstream_timeout'], [], true, 1])
  })
})
