import { describe, expect, it } from 'vitest'
import { createFakeSource, createMessage, createRecordingSink } from '../../../../test/support/fake-processes.ts'
import { Channel } from './multiplexed-channel.ts'
import { createKeptIds, createOwnIds } from './request-ids.ts'

async function open(ids = createOwnIds()) {
  const source = createFakeSource(60)
  const heard: string[] = []
  const events = { message: ({ method }: { method: string }) => void heard.push(method), ended: () => void heard.push('ended') }
  const channel = await Channel.start(source, { key: 'alice' }, events, ids)
  return { source, heard, channel, process: source.processes[0]! }
}

const progress = (progressToken: unknown) => ({ method: 'notifications/progress', params: { progressToken, progress: 1 } })

describe('requests of many clients to one process', () => {
  it('have ids and progress tokens of their own there, and each client gets its own back', async () => {
    const { channel, process } = await open()
    const clients = ['x', 'x'].map(() => createRecordingSink())
    for (const { sink } of clients) channel.request(createMessage('tools/call', { _meta: { progressToken: 'p' } }, 'x'), sink)
    expect(process.read.map(({ id, params }) => [id, params._meta.progressToken])).toEqual([
      [1, 1],
      [2, 2],
    ])
    process.say(progress(2))
    process.say({ id: 2, result: { of: 'second' } })
    process.say({ id: 1, result: { of: 'first' } })
    expect(clients.map(({ responses }) => responses[0])).toMatchObject([
      { id: 'x', result: { of: 'first' } },
      { id: 'x', result: { of: 'second' } },
    ])
    expect(clients.map(({ related }) => related.map(({ params }) => params.progressToken))).toEqual([[], ['p']])
    expect(channel.load).toBe(0)
  })

  it('are cancelled in the process by the id that it knows, and a late answer is dropped', async () => {
    const { channel, process } = await open()
    const { sink, responses } = createRecordingSink()
    const request = channel.request(createMessage('tools/call'), sink)
    request.cancel('enough')
    request.cancel('enough')
    expect(process.read.slice(1)).toEqual([
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } },
    ])
    process.say({ id: 1, result: {} })
    expect([responses, channel.load]).toEqual([[], 0])
  })

  it('fail when nothing was heard of them for too long, and progress is something', async () => {
    const { channel, process, source } = await open()
    const { sink, failures } = createRecordingSink()
    channel.request(createMessage('tools/call', { _meta: { progressToken: 'p' } }), sink)
    source.clock.advance(59_000)
    process.say(progress(1))
    source.clock.advance(59_000)
    expect(failures).toEqual([])
    source.clock.advance(1000)
    expect(failures).toEqual(['upstream_timeout'])
    expect(process.read.at(-1)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } })
  })

  it('have no timeout when they are subscriptions, which the server may end', async () => {
    const { channel, process, source } = await open()
    const subscription = createRecordingSink('subscription')
    channel.request(createMessage('subscriptions/listen'), subscription.sink)
    source.clock.advance(24 * 3_600_000)
    expect(subscription.failures).toEqual([])
    process.say({ method: 'notifications/cancelled', params: { requestId: 1 } })
    expect([subscription.closed, channel.load]).toEqual([1, 0])
  })

  it('are not what a legacy server cancels by an id of its own', async () => {
    const { channel, process, heard } = await open()
    const { sink, responses } = createRecordingSink()
    channel.request(createMessage('tools/call'), sink)
    process.say({ method: 'notifications/cancelled', params: { requestId: 1 } })
    process.say({ id: 1, result: {} })
    expect([heard, responses.length]).toEqual([['notifications/cancelled'], 1])
  })

  it('are answered by a server that writes their id as a string, unless another request has that string', async () => {
    const { channel, process } = await open(createKeptIds())
    const [number, string] = [createRecordingSink(), createRecordingSink()]
    channel.request(createMessage('a', {}, 5), number.sink)
    process.say({ id: '5', result: { n: 1 } })
    expect(number.responses).toEqual([{ jsonrpc: '2.0', id: 5, result: { n: 1 } }])
    const again = createRecordingSink()
    channel.request(createMessage('a', {}, 6), again.sink)
    channel.request(createMessage('a', {}, '6'), string.sink)
    process.say({ id: '6', result: {} })
    expect([again.responses.length, string.responses.length]).toEqual([0, 1])
  })

  it('are not answered by the late answer to a cancelled request whose id was that number as a string', async () => {
    const { channel, process } = await open(createKeptIds())
    channel.request(createMessage('a', {}, '5'), createRecordingSink().sink).cancel('enough')
    const { sink, responses } = createRecordingSink()
    channel.request(createMessage('a', {}, 5), sink)
    process.say({ id: '5', result: { of: 'the cancelled one' } })
    process.say({ id: 5, result: { of: 'this one' } })
    expect(responses).toMatchObject([{ result: { of: 'this one' } }])
  })

  it('fail with a response that can be read in two ways or not at all', async () => {
    const { channel, process } = await open()
    const [twice, broken] = [createRecordingSink(), createRecordingSink()]
    channel.request(createMessage('a'), twice.sink)
    channel.request(createMessage('a'), broken.sink)
    process.say('{"jsonrpc":"2.0","result":{"a":1},"result":{"a":2},"x":0,"id":1,"y":0}')
    process.break(2, 'not JSON')
    expect([twice.failures, broken.failures]).toEqual([['upstream_invalid_response'], ['upstream_invalid_response']])
  })

  it('all fail when the process ends, and what belongs to no request is told of it last', async () => {
    const { channel, process, heard } = await open()
    const clients = [createRecordingSink(), createRecordingSink()]
    for (const { sink } of clients) channel.request(createMessage('a'), sink)
    process.die()
    expect(clients.map(({ failures }) => failures)).toEqual([['upstream_ended'], ['upstream_ended']])
    expect([heard, channel.isOver, channel.load]).toEqual([['ended'], true, 0])
  })

  it('get log messages only when they are alone, and late progress goes nowhere', async () => {
    const { channel, process, heard } = await open()
    const { sink, related } = createRecordingSink()
    const log = { method: 'notifications/message', params: { level: 'info', data: 'x' } }
    expect(channel.isExclusiveFree).toBe(true)
    channel.request(createMessage('a'), sink, true)
    expect(channel.isExclusiveFree).toBe(false)
    process.say(log)
    process.say(progress(1))
    process.say({ id: 1, result: {} })
    process.say(log)
    expect([related.length, heard, channel.isExclusiveFree]).toEqual([1, ['notifications/message'], true])
  })

  it('make the process busy, and leave it idle from the last answer on', async () => {
    const { channel, process, source } = await open()
    channel.request(createMessage('a'), createRecordingSink().sink)
    source.clock.advance(5000)
    expect(channel.idle(source.clock.monotonic())).toBe(0)
    process.say({ id: 1, result: {} })
    source.clock.advance(700)
    expect(channel.idle(source.clock.monotonic())).toBe(700)
  })

  it('continue under the names of the request that took their place', async () => {
    const { channel, process } = await open()
    const { sink, related, responses } = createRecordingSink()
    const request = channel.request(createMessage('a', { _meta: { progressToken: 'p' } }, 'one'), sink)
    request.transferTo(createMessage('a', { _meta: { progressToken: 'q' } }, 'two'))
    process.say(progress(1))
    process.say({ id: 1, result: {} })
    expect([related[0].params.progressToken, responses[0].id]).toEqual(['q', 'two'])
  })
})

describe('ids of a client that has a process to itself', () => {
  it('pass as they are, unless they are in use or were cancelled and not yet answered', async () => {
    const { channel, process } = await open(createKeptIds())
    const send = () => channel.request(createMessage('a', {}, 'x'), createRecordingSink().sink)
    send()
    send()
    expect([process.read[0].id, process.read[1].id === 'x']).toEqual(['x', false])
    process.say({ id: 'x', result: {} })
    send().cancel('enough')
    send()
    expect([process.read[2].id, process.read[4].id === 'x']).toEqual(['x', false])
    process.say({ id: 'x', result: {} })
    send()
    expect(process.read[5].id).toBe('x')
  })
})
