import { createHook } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import {
  createCountingMemory,
  createFakeSource,
  createMessage,
  createRecordingSink,
  settle,
} from '../../../../test/support/fake-processes.ts'
import { ProxyError } from '../../../core/errors.ts'
import { Pool, type PoolMember } from './channel-pool.ts'
import { Channel } from './multiplexed-channel.ts'

const NO_EVENTS = { message: () => undefined, ended: () => undefined }

function open() {
  const source = createFakeSource()
  const memory = createCountingMemory()
  let held: Promise<unknown> = Promise.resolve()
  let starts = 0
  const pool = new Pool<PoolMember>(source.clock, async ({ id }) => {
    // A pool that starts processes without end must fail its test, not hang it.
    await (++starts > 1000 ? new Promise(() => undefined) : held)
    return { channel: await Channel.start(source, { key: id }, NO_EVENTS) }
  })
  const send = (isFree: (member: PoolMember) => boolean = () => true, id = 'alice') =>
    pool.use({ id }, isFree, { memory, bytes: 10 }, ({ channel }) => {
      channel.request(createMessage('a'), createRecordingSink().sink)
      return channel
    })
  /** From now on, no process gets ready before the start is decided. */
  const hold = () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    held = promise
    return { ready: resolve, fail: reject }
  }
  return { source, memory, pool, send, hold, countStarts: () => starts }
}

/** The most promises that were made to hang on one other promise during `work`: what that one keeps in memory until it is settled. */
async function countHanging(work: () => Promise<void>): Promise<number> {
  const counts = new Map<number, number>()
  const hook = createHook({
    init(_id, type, parent) {
      if (type === 'PROMISE') counts.set(parent, (counts.get(parent) ?? 0) + 1)
    },
  })
  hook.enable()
  await work().finally(() => hook.disable())
  return Math.max(...counts.values())
}

describe('processes of one principal', () => {
  it('share their requests, and another one starts when the least busy has 32', async () => {
    const { source, pool, send } = open()
    for (let i = 0; i < 32; i++) await send()
    expect(source.processes).toHaveLength(1)
    await send()
    await settle()
    expect(source.processes).toHaveLength(2)
    expect((await send()).load).toBe(1)
    expect([...pool.all()].map(({ channel }) => channel.load)).toEqual([33, 1])
  })

  it('are four at most: a fifth request that needs one alone waits, with its memory taken, and fails after a minute', async () => {
    const { source, memory, send } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    for (let i = 0; i < 4; i++) await send(isAlone)
    const failed = expect(send(isAlone)).rejects.toMatchObject({ code: 'upstream_busy', reason: 'processes_limit' })
    await settle()
    expect([source.processes.length, memory.held]).toEqual([4, 10])
    source.clock.advance(60_000)
    await failed
    expect(memory.held).toBe(0)
  })

  it('are four at most, however busy they are', async () => {
    const { source, send } = open()
    for (let i = 0; i < 150; i++) {
      await send()
      await settle()
    }
    expect(source.processes).toHaveLength(4)
  })

  it('wake a request that waits when one has become free', async () => {
    const { source, send } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    for (let i = 0; i < 4; i++) await send(isAlone)
    const waiting = send(isAlone)
    await settle()
    source.processes[2]!.answer('a', {})
    expect((await waiting).owner.key).toBe('alice')
    expect(source.processes[2]!.read).toHaveLength(2)
  })

  it('wake a request that waits for another one to start', async () => {
    const { source, memory, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    hold()
    const waiting = send(isAlone)
    await settle()
    source.processes[0]!.answer('a', {})
    expect((await waiting).owner.key).toBe('alice')
    expect([source.processes.length, source.processes[0]!.read.length, memory.held]).toEqual([1, 2, 0])
  })

  it('keep nothing in memory for each answer that wakes requests during a slow start', async () => {
    const { source, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    hold()
    for (let i = 0; i < 20; i++) void send(isAlone)
    await settle()
    const hanging = await countHanging(async () => {
      for (let i = 0; i < 200; i++) {
        source.processes[0]!.answer('a', {})
        void send(isAlone)
        await settle()
      }
    })
    expect(source.processes[0]!.read).toHaveLength(201)
    expect(hanging).toBeLessThan(200)
  })

  it('keep nothing in memory for each request that comes while another one starts slowly', async () => {
    const { source, send, hold } = open()
    for (let i = 0; i < 32; i++) await send()
    hold()
    const hanging = await countHanging(async () => {
      for (let i = 0; i < 500; i++) await send()
    })
    expect(source.processes[0]!.read).toHaveLength(532)
    expect(hanging).toBeLessThan(200)
  })

  it('let a hundred requests wait for a slow start and refuse the next', async () => {
    const { memory, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    hold()
    for (let i = 0; i < 100; i++) void send(isAlone)
    await settle()
    await expect(send(isAlone)).rejects.toMatchObject({ code: 'upstream_busy', reason: 'processes_limit' })
    expect(memory.held).toBe(1000)
  })

  it('let a request wait for one that becomes free when there is no place for another', async () => {
    const { source, memory, send, hold, countStarts } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    const start = hold()
    const waiting = send(isAlone)
    await settle()
    start.fail(new ProxyError('upstream_busy', { reason: 'processes_limit', cause: 'all places are taken', retryAfter: 5 }))
    await settle()
    expect([memory.held, countStarts()]).toEqual([10, 2])
    source.processes[0]!.answer('a', {})
    expect((await waiting).load).toBe(1)
    expect([source.processes[0]!.read.length, memory.held]).toEqual([2, 0])
  })

  it('let a request wait for a minute at most when there is no place for another', async () => {
    const { source, memory, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    const start = hold()
    const failed = expect(send(isAlone)).rejects.toMatchObject({
      code: 'upstream_busy',
      cause: 'every child is taken by a request that needs it alone',
    })
    await settle()
    start.fail(new ProxyError('upstream_busy', { reason: 'processes_limit', cause: 'all places are taken', retryAfter: 5 }))
    await settle()
    source.clock.advance(59_999)
    await settle()
    expect(memory.held).toBe(10)
    source.clock.advance(1)
    await failed
    expect(memory.held).toBe(0)
  })

  it('let a request wait for a start that takes longer than a minute', async () => {
    const { source, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    const start = hold()
    const waiting = send(isAlone)
    await settle()
    source.clock.advance(90_000)
    await settle()
    start.ready()
    await waiting
    expect(source.processes.map(({ read }) => read.length)).toEqual([1, 1])
  })

  it('fail a request that has waited for more than a minute as soon as there turns out to be no place for another', async () => {
    const { source, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    const start = hold()
    const failed = expect(send(isAlone)).rejects.toMatchObject({ code: 'upstream_busy' })
    await settle()
    source.clock.advance(90_000)
    start.fail(new ProxyError('upstream_busy', { reason: 'processes_limit', cause: 'all places are taken', retryAfter: 5 }))
    await settle()
    source.clock.advance(1)
    await failed
  })

  it('fail the requests that wait for another one when it does not start', async () => {
    const { memory, send, hold } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    await send(isAlone)
    const start = hold()
    const waiting = Array.from({ length: 3 }, () => send(isAlone).catch(({ code }) => code))
    await settle()
    start.fail(new ProxyError('upstream_timeout', { cause: 'silence' }))
    expect(await Promise.all(waiting)).toEqual(['upstream_timeout', 'upstream_timeout', 'upstream_timeout'])
    expect(memory.held).toBe(0)
  })

  it('wake no request of another principal', async () => {
    const { source, send } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    const looked: string[] = []
    for (let i = 0; i < 4; i++) await send(isAlone)
    for (let i = 0; i < 4; i++) await send(isAlone, 'bob')
    const waiting = send((member) => looked.push('bob') > 4 && isAlone(member), 'bob')
    await settle()
    source.processes[0]!.answer('a', {})
    await settle()
    expect(looked).toHaveLength(4)
    source.processes[4]!.answer('a', {})
    expect((await waiting).owner.key).toBe('bob')
  })

  it('let a hundred requests wait and refuse the next', async () => {
    const { source, send } = open()
    const isAlone = ({ channel }: PoolMember) => channel.load === 0
    for (let i = 0; i < 4; i++) await send(isAlone)
    const waiting = Array.from({ length: 100 }, () => send(isAlone).catch(({ code }) => code))
    await settle()
    await expect(send(isAlone)).rejects.toMatchObject({ code: 'upstream_busy', reason: 'processes_limit' })
    source.clock.advance(60_000)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['upstream_busy']))
  })

  it('end when they are idle for too long, unless they are held', async () => {
    const { source, pool, send } = open()
    await send()
    expect(pool.spares()).toEqual([])
    source.processes[0]!.answer('a', {})
    source.clock.advance(1000)
    expect(pool.spares()).toMatchObject([{ key: 'alice', idle: 1000 }])
    pool.sweep(1000)
    expect(source.processes[0]!.isOver).toBe(false)
    pool.sweep(999)
    expect(source.processes[0]!.isOver).toBe(true)
    expect([...pool.all()]).toEqual([])
  })
})
