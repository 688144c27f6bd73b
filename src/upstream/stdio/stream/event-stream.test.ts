import { describe, expect, it } from 'vitest'
import { createCountingMemory } from '../../../../test/support/fake-processes.ts'
import { createFakeReply, readData } from '../../../../test/support/fake-reply.ts'
import { EventStream } from './event-stream.ts'
import { StreamLog } from './replay-buffer.ts'

function open(isResumable = true, hasFlow = true) {
  const log = isResumable ? new StreamLog<EventStream>(createCountingMemory()) : undefined
  const flow = { pauses: 0, pause: () => void flow.pauses++, resume: () => void flow.pauses-- }
  let detached = 0
  const stream = new EventStream({ log, flow: hasFlow ? flow : undefined, onDetached: () => void detached++ })
  return { stream, log, flow, detached: () => detached }
}

describe('an event stream', () => {
  it('is resumed after the last event that arrived', () => {
    const { stream, log } = open()
    const first = createFakeReply()
    stream.attach(first)
    for (const n of [1, 2, 3]) stream.send(`{"n":${n}}`)
    const [id = ''] = [...first.body.matchAll(/^id: (.*)$/gm)].map(([, value = '']) => value)
    const found = log!.find(id)
    const second = createFakeReply()
    expect([found?.stream === stream, stream.attach(second, {}, found?.sequence)]).toEqual([true, true])
    expect([readData(second.body), first.isEnded]).toEqual([[{ n: 2 }, { n: 3 }], true])
  })

  it('can’t be resumed after events that are gone', () => {
    const { stream } = open()
    for (let n = 0; n < 1002; n++) stream.send('{}')
    expect(stream.attach(createFakeReply(), {}, 1)).toBe(false)
    expect(stream.attach(createFakeReply(), {}, 2)).toBe(true)
  })

  it('keeps what is sent while no client is there, and tells when one has gone', () => {
    const { stream, detached } = open()
    stream.send('{"n":1}')
    const reply = createFakeReply()
    stream.attach(reply)
    expect(readData(reply.body)).toEqual([{ n: 1 }])
    reply.leave()
    expect([detached(), stream.isAttached]).toEqual([1, false])
  })

  it('makes its process wait for a slow client, and go on when it has read or gone', () => {
    const { stream, flow } = open()
    const reply = createFakeReply()
    stream.attach(reply)
    reply.isSlow = true
    stream.send('{}')
    stream.send('{}')
    expect(flow.pauses).toBe(1)
    reply.drain()
    expect(flow.pauses).toBe(0)
    reply.isSlow = true
    stream.send('{}')
    reply.leave()
    expect(flow.pauses).toBe(0)
  })

  it('cuts a slow client off at four million bytes where its process can’t wait', () => {
    const { stream } = open(false, false)
    const reply = createFakeReply()
    stream.attach(reply)
    reply.isSlow = true
    const mebibyte = JSON.stringify('x'.repeat(1024 * 1024))
    for (let i = 0; i < 4; i++) stream.send(mebibyte)
    expect(reply.failure).toBeUndefined()
    stream.send(mebibyte)
    expect(reply.failure).toBe('client_gone')
  })

  it('sends comments only to a client that reads, and nothing after its end', () => {
    const { stream } = open(false)
    const reply = createFakeReply()
    stream.attach(reply)
    stream.keepAlive()
    stream.end()
    stream.send('{}')
    expect([reply.body, reply.isEnded, stream.isEnded]).toEqual([':\n\n', true, true])
  })
})
