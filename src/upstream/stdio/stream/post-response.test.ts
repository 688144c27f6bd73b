import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { createCountingMemory } from '../../../../test/support/fake-processes.ts'
import { createFakeReply, readData } from '../../../../test/support/fake-reply.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { EventStream } from './event-stream.ts'
import { PostAnswer, type PostAnswerOptions } from './post-response.ts'
import { StreamLog } from './replay-buffer.ts'

function open(more: Partial<PostAnswerOptions> = {}) {
  const clock = createFakeClock()
  const reply = createFakeReply()
  const memory = createCountingMemory()
  const gone: string[][] = []
  let over = 0
  const answer = new PostAnswer({
    clock,
    reply,
    ids: ['1'],
    isBatch: false,
    accepts: 'both',
    headers: () => ({ 'mcp-session-id': 's' }),
    log: undefined,
    flow: undefined,
    memory,
    primes: false,
    onGone: (ids) => void gone.push([...ids]),
    onOver: () => void over++,
    ...more,
  })
  return { clock, reply, memory, gone, answer, over: () => over }
}

const openLog = () => new StreamLog<EventStream>(createCountingMemory())
const [one, two] = ['{"id":1}', '{"id":2}']

describe('the answer to a POST', () => {
  it('is JSON when the response is there within a second', () => {
    const { answer, clock, reply, over } = open()
    clock.advance(999)
    answer.response('1', one, {})
    expect(reply).toMatchObject({ status: 200, body: one, isEnded: true })
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'mcp-session-id': 's' })
    expect([over(), clock.pending]).toEqual([1, 0])
  })

  it('is an event stream after a second', () => {
    const { answer, clock, reply } = open()
    clock.advance(1000)
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream', 'mcp-session-id': 's' })
    answer.response('1', one, {})
    expect([readData(reply.body), reply.isEnded]).toEqual([[{ id: 1 }], true])
  })

  it('is an event stream when something comes before the response', () => {
    const { answer, reply } = open()
    answer.related('{"n":1}')
    answer.response('1', one, {})
    expect(readData(reply.body)).toEqual([{ n: 1 }, { id: 1 }])
  })

  it('is JSON for a client that reads nothing else, whatever comes and however long it takes', () => {
    const { answer, clock, reply } = open({ accepts: 'json' })
    answer.related('{"n":1}')
    clock.advance(100_000)
    answer.response('1', one, {})
    expect([reply.body, answer.canStream]).toEqual([one, false])
  })

  it('begins with an event without content where it can be resumed, with when to come back', () => {
    const { answer, clock, reply } = open({ log: openLog(), primes: true })
    clock.advance(24)
    expect(reply.status).toBeUndefined()
    clock.advance(1)
    expect([readData(reply.body), reply.body.match(/^retry: 1000$/gm)?.length]).toEqual([[''], 1])
    answer.response('1', one, {})
    expect(readData(reply.body)).toEqual(['', { id: 1 }])
  })

  it('waits thirty seconds for a client that can resume, and cancels then', () => {
    const { clock, reply, gone } = open({ log: openLog(), primes: true })
    clock.advance(25)
    reply.leave()
    clock.advance(29_999)
    expect(gone).toEqual([])
    clock.advance(1)
    expect(gone).toEqual([['1']])
  })

  it('is not cancelled when its client has resumed', () => {
    const { answer, clock, reply, gone } = open({ log: openLog(), primes: true })
    clock.advance(25)
    reply.leave()
    answer.stream?.attach(createFakeReply(), {}, 1)
    answer.resumed()
    clock.advance(30_000)
    expect(gone).toEqual([])
  })

  it('waits thirty seconds again when its client has resumed and was lost at once', () => {
    const { answer, clock, reply, gone } = open({ log: openLog(), primes: true })
    clock.advance(25)
    reply.leave()
    answer.stream?.attach({ ...createFakeReply(), onClose: (listener) => listener() }, {}, 1)
    answer.resumed()
    clock.advance(30_000)
    expect(gone).toEqual([['1']])
  })

  it.each([
    [0, undefined],
    [1000, undefined],
  ])('is cancelled at once when its client is gone after %i ms and can’t resume', (after) => {
    const { clock, reply, gone, over } = open()
    clock.advance(after)
    reply.leave()
    expect([gone, over()]).toEqual([[['1']], 1])
  })

  it('of a batch waits for all responses, and holds memory for those that are there', () => {
    const { answer, reply, memory } = open({ ids: ['1', '2'], isBatch: true })
    answer.response('2', two, {})
    expect([reply.status, memory.held]).toEqual([undefined, 2 * two.length])
    answer.response('1', one, {})
    expect([reply.body, memory.held]).toEqual([`[${two},${one}]`, 0])
  })

  it('has the status of the response', () => {
    const { answer, reply } = open({ statusOf: () => 404 })
    answer.response('1', one, {})
    expect(reply.status).toBe(404)
  })

  it('is a refusal when its only request fails, and a JSON-RPC error when something was sent', () => {
    const error = new ProxyError('upstream_ended')
    const refused = open()
    refused.answer.failed('1', error)
    expect([refused.reply.failure, refused.over()]).toEqual(['upstream_ended', 1])
    const begun = open()
    begun.answer.related('{"n":1}')
    begun.answer.failed('1', error)
    expect(begun.reply.reports).toEqual(['upstream_ended'])
    expect(readData(begun.reply.body)).toMatchObject([{ n: 1 }, { id: 1, error: { data: { error: 'upstream_ended' } } }])
  })

  it('ignores a second response to a request', () => {
    const { answer, reply } = open({ ids: ['1', '2'], isBatch: true })
    answer.response('1', one, {})
    answer.response('1', '{"id":1,"again":1}', {})
    answer.response('2', two, {})
    expect(reply.body).toBe(`[${one},${two}]`)
  })

  it('ends its stream when the client has cancelled everything', () => {
    const { answer, clock, reply } = open()
    clock.advance(1000)
    answer.cancelled('1')
    expect([reply.isEnded, readData(reply.body)]).toEqual([true, []])
  })
})
