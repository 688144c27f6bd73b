import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import type { Store } from '../src/core/store.ts'
import { createMemoryStore, type Kinds } from '../src/store/memory-store.ts'
import { openRedisStore } from '../src/store/redis-store.ts'
import { openSqliteStore } from '../src/store/sqlite-store.ts'
import { findFreePort, hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A second adapter on the same entries, as another process would have it; the memory of a process is its own. */
interface Opened {
  readonly store: Store
  readonly other: Store
}

/** A store of its own, and a look beneath it. */
interface Inspected {
  readonly store: Store
  /** How many things of any kind are kept: entries, and who belongs where. */
  count(): Promise<number>
  /** Waits for what happens by itself once so many milliseconds have passed. */
  pass(milliseconds: number): Promise<void>
  close(): Promise<unknown>
}

/** Moves the clock, and what is done by it. */
async function moveClock(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds + 60_000)
}

describe('memory', () => {
  contract(async () => {
    const store = createMemoryStore()
    return { store, other: store }
  })
  forgetting(async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
    const kinds: Kinds = new Map()
    const count = async () => [...kinds].reduce((sum, [, entries]) => sum + 1 + entries.size, 0)
    const store = createMemoryStore(systemClock, 100, kinds)
    return { store, count, pass: moveClock, close: store.close }
  })
})

describe('SQLite', () => {
  const file = join(folder, 'sub', 'store.db')
  contract(async () => ({ store: openSqliteStore(file), other: openSqliteStore(file) }))
  forgetting(async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
    const own = join(folder, 'forgetting.db')
    const store = openSqliteStore(own)
    const beneath = new DatabaseSync(own)
    const rows = (table: string) => Number(beneath.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count)
    const close = async () => {
      beneath.close()
      await store.close()
    }
    return { store, count: async () => rows('entries') + rows('memberships'), pass: moveClock, close }
  })

  it('has what it was told on the disk before it says so, also where the power fails the next moment', async () => {
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
    const store = openSqliteStore(join(folder, 'durable.db'))
    const [connection] = exec.mock.contexts as DatabaseSync[]
    exec.mockRestore()
    // 2 is FULL: each commit waits for the disk.
    expect(connection?.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    expect(connection?.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    await store.close()
  })

  it('keeps its file to its owner, and those that come and go beside it', async () => {
    const store = openSqliteStore(file)
    await store.put('kind', 'id', 'value')
    for (const name of [file, `${file}-wal`, `${file}-shm`]) expect([name, statSync(name).mode & 0o077]).toEqual([name, 0])
    await store.close()
  })
})

describe.skipIf(!hasRedisServer())('Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedisServer()
  })
  afterAll(() => server?.close())
  const open = () => openRedisStore({ url: server.url, password: undefined, prefix: 'test:' }, () => {})
  contract(async () => ({ store: await open(), other: await open() }))
  forgetting(async () => {
    const own = createClient({ url: server.url })
    await own.connect()
    await own.flushAll()
    const size = async (key: string) => ((await own.type(key)) === 'zset' ? await own.zCard(key) : 1)
    const count = async () => {
      const sizes = await Promise.all((await own.keys('*')).map(size))
      return sizes.reduce((sum, each) => sum + each, 0)
    }
    const wait = async (milliseconds: number) => {
      await own.set('clock', '', { PX: milliseconds })
      await vi.waitUntil(async () => (await own.exists('clock')) === 0)
    }
    const store = await open()
    return { store, count, pass: wait, close: () => Promise.all([own.close(), store.close()]) }
  })

  it('loses track of nothing where the server evicts entries', async () => {
    const store = await open()
    await store.put('evicted', 'gone', 'x', { expiresAt: Date.now() + 60_000 })
    await store.put('evicted', 'here', 'y', { expiresAt: Date.now() + 90_000 })
    const own = createClient({ url: server.url })
    await own.connect()
    await own.del('test:e:evicted:gone')
    expect(await store.list('evicted', 1)).toEqual([{ id: 'here', value: 'y' }])
    expect(await store.count('evicted')).toBe(1)
    await own.close()
    await store.close()
  })

  it('says so when nothing answers, and what the connection met', async () => {
    const plan = { url: `redis://127.0.0.1:${await findFreePort()}`, password: undefined, prefix: '' }
    await expect(openRedisStore(plan, () => {})).rejects.toThrow(/^store: no connection .+ECONNREFUSED/)
  }, 10_000)

  it('waits for no answer for long, is not ready meanwhile, and goes on when answers come', async () => {
    const store = await open()
    await store.put('kind', 'slow', 'value')
    server.freeze()
    const asked = [store.find('kind', 'slow'), store.list('kind', 1), store.add('kind', 'slow', 'other')]
    for (const answer of await Promise.allSettled(asked)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('did not answer') } })
    }
    expect(store.isReady()).toBe(false)
    server.thaw()
    expect(await store.find('kind', 'slow')).toBe('value')
    expect(store.isReady()).toBe(true)
    await store.close()
  }, 30_000)

  it('is closed also where no answer comes any more', async () => {
    const store = await open()
    server.freeze()
    const asked = expect(store.find('kind', 'slow')).rejects.toThrow()
    await store.close()
    await asked
    server.thaw()
  }, 30_000)
})

function contract(open: () => Promise<Opened>): void {
  let store: Store
  let other: Store
  let entry = 0
  const nextId = () => `id-${++entry}`

  beforeAll(async () => {
    ;({ store, other } = await open())
  })
  afterAll(async () => {
    await store?.close()
    if (other !== store) await other?.close()
  })

  it('gives back what was put, to everybody who shares it', async () => {
    const [id, value] = [nextId(), `Grüße \u0000 " 世界 ${'x'.repeat(10_000)}`]
    await store.put('a', id, value)
    expect(await store.find('a', id)).toBe(value)
    expect(await other.find('a', id)).toBe(value)
    expect(await store.find('b', id)).toBeUndefined()
    await store.put('a', id, 'new')
    expect(await other.find('a', id)).toBe('new')
  })

  it('forgets an entry when its time is over, in every way that it could be seen', async () => {
    const id = nextId()
    await store.put('timed', id, 'x', { expiresAt: Date.now() + 30, groups: ['timed'] })
    await vi.waitUntil(async () => (await store.find('timed', id)) === undefined)
    expect(await store.take('timed', id)).toBeUndefined()
    expect(await store.replace('timed', id, 'x', 'y')).toBe(false)
    expect(await store.count('timed')).toBe(0)
    expect(await store.list('timed', 10)).toEqual([])
    expect(await store.add('timed', id, 'again')).toBe(true)
  })

  it('does not expire what was written anew with another time', async () => {
    const id = nextId()
    const passing = nextId()
    await store.put('renewed', id, 'x', { expiresAt: Date.now() + 30 })
    await store.put('renewed', passing, 'x', { expiresAt: Date.now() + 30 })
    await store.put('renewed', id, 'x')
    await vi.waitUntil(async () => (await store.find('renewed', passing)) === undefined)
    expect(await store.find('renewed', id)).toBe('x')
  })

  it('adds an entry once, whichever process tries', async () => {
    const id = nextId()
    const tries = await Promise.all([store, other, store, other].map((each, index) => each.add('once', id, String(index))))
    expect(tries.filter(Boolean)).toHaveLength(1)
    expect(await store.find('once', id)).toBe(String(tries.indexOf(true)))
  })

  it('replaces a value only while it is the expected one, and keeps its time and groups', async () => {
    const id = nextId()
    await store.put('swap', id, 'one', { expiresAt: Date.now() + 60_000, groups: ['swap'] })
    const swaps = await Promise.all([store, other].map((each, index) => each.replace('swap', id, 'one', `two-${index}`)))
    expect(swaps.filter(Boolean)).toHaveLength(1)
    expect(await store.replace('swap', 'absent', 'one', 'two')).toBe(false)
    await store.deleteGroup('swap')
    expect(await store.find('swap', id)).toBeUndefined()
  })

  it('gives an entry to one of those who take it', async () => {
    const id = nextId()
    await store.put('taken', id, 'x')
    const taken = await Promise.all([store, other, store, other].map((each) => each.take('taken', id)))
    expect(taken.filter((value) => value === 'x')).toHaveLength(1)
    expect(await store.find('taken', id)).toBeUndefined()
    expect(await store.count('taken')).toBe(0)
  })

  it('gives an entry only while it has the value that is expected, where one is', async () => {
    const id = nextId()
    await store.put('expected', id, 'theirs', { groups: ['expected'] })
    expect(await other.take('expected', id, 'mine')).toBeUndefined()
    expect(await other.take('expected', id, '')).toBeUndefined()
    expect(await store.find('expected', id)).toBe('theirs')
    const taken = await Promise.all([store, other, store].map((each) => each.take('expected', id, 'theirs')))
    expect(taken.filter((value) => value === 'theirs')).toHaveLength(1)
    expect(await store.find('expected', id)).toBeUndefined()
    expect(await store.take('expected', id, 'theirs')).toBeUndefined()
  })

  it('deletes a group whole, and nothing else', async () => {
    await store.put('member', 'one', '1', { groups: ['red', 'blue'], expiresAt: Date.now() + 60_000 })
    await store.put('member', 'two', '2', { groups: ['red'] })
    await store.put('member', 'three', '3', { groups: ['blue'], expiresAt: Date.now() + 60_000 })
    await other.deleteGroup('red')
    const values = await Promise.all(['one', 'two', 'three'].map((id) => store.find('member', id)))
    expect(values).toEqual([undefined, undefined, '3'])
    await store.deleteGroup('none')
  })

  it('deletes a group whole, whichever of its members was there first, or ended first', async () => {
    const soon = () => ({ expiresAt: Date.now() + 30 })
    const later = { expiresAt: Date.now() + 60_000 }
    await store.put('lasting', 'first', '1', { ...later, groups: ['early'] })
    await store.put('lasting', 'forever', '1', { groups: ['never'] })
    await store.put('lasting', 'passing', '1', { ...soon(), groups: ['early', 'late', 'never'] })
    await store.put('lasting', 'last', '1', { ...later, groups: ['late'] })
    await store.put('lasting', 'passing too', '1', { ...soon(), groups: ['late'] })
    await vi.waitUntil(async () => (await store.find('lasting', 'passing too')) === undefined)
    await vi.waitUntil(async () => (await store.find('lasting', 'passing')) === undefined)
    for (const group of ['early', 'late', 'never']) await other.deleteGroup(group)
    for (const id of ['first', 'forever', 'last']) expect([id, await store.find('lasting', id)]).toEqual([id, undefined])
  })

  it('takes an entry out of the groups that it had before it was written anew, or taken', async () => {
    await store.put('moved', 'one', '1', { groups: ['old', 'both'] })
    await store.put('moved', 'one', '2', { groups: ['both', 'new'] })
    await store.put('moved', 'two', '1', { groups: ['old'] })
    await store.take('moved', 'two')
    await store.add('moved', 'two', '2')
    await store.deleteGroup('old')
    expect([await store.find('moved', 'one'), await store.find('moved', 'two')]).toEqual(['2', '2'])
    await store.deleteGroup('new')
    expect(await store.find('moved', 'one')).toBeUndefined()
  })

  it('lists first what ends first, and last what never ends', async () => {
    await store.put('ordered', 'never', '', {})
    for (const [id, seconds] of [
      ['b', 60],
      ['c', 90],
      ['a', 30],
    ] as const)
      await store.put('ordered', id, '', { expiresAt: Date.now() + seconds * 1000 })
    expect((await other.list('ordered', 10)).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'never'])
    expect((await other.list('ordered', 2)).map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('counts and lists what there is of a kind', async () => {
    for (const id of ['x', 'y', 'z']) await store.put('listed', id, `value of ${id}`, { expiresAt: Date.now() + 60_000 })
    expect(await other.count('listed')).toBe(3)
    expect((await store.list('listed', 10)).map(({ id, value }) => `${id}: ${value}`).sort()).toEqual([
      'x: value of x',
      'y: value of y',
      'z: value of z',
    ])
    expect(await store.list('listed', 2)).toHaveLength(2)
  })
}

function forgetting(inspect: () => Promise<Inspected>): void {
  describe('what is over', () => {
    let opened: Inspected
    beforeAll(async () => {
      opened = await inspect()
    })
    afterAll(async () => {
      await opened?.close()
      vi.useRealTimers()
    })
    const soon = (milliseconds = 30) => Date.now() + milliseconds

    it('leaves nothing behind, however it was written, changed or removed', async () => {
      const { store, count, pass } = opened
      await store.put('a', 'plain', 'x', { expiresAt: soon() })
      await store.add('b', 'added', 'x', { expiresAt: soon(), groups: ['user', 'grant'] })
      await store.put('b', 'renewed', 'x', { expiresAt: soon(), groups: ['user'] })
      await store.put('b', 'renewed', 'y', { expiresAt: soon(60), groups: ['user', 'other'] })
      await store.put('c', 'shortened', 'x', { groups: ['never'] })
      await store.put('c', 'shortened', 'x', { expiresAt: soon(), groups: ['never'] })
      await store.put('d', 'replaced', 'x', { expiresAt: soon(), groups: ['swap'] })
      await store.replace('d', 'replaced', 'x', 'y')
      await store.put('e', 'taken', 'x', { groups: ['user'] })
      await store.take('e', 'taken')
      await store.put('f', 'deleted', 'x', { groups: ['gone', 'user'] })
      await store.deleteGroup('gone')
      expect(await count()).toBeGreaterThan(8)
      await pass(90)
      expect(await count()).toBe(0)
    })

    it('does not pile up under what is still used: a user who stays, a kind that is written all the time', async () => {
      const { store, count, pass } = opened
      await store.put('kind', 'lasting', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      await store.put('kind', 'next', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      const before = await count()
      for (let time = 0; time < 50; time += 1)
        await store.put('kind', `passing ${time}`, 'x', { expiresAt: soon(), groups: ['user'] })
      await pass(60)
      await store.put('kind', 'next', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      expect(await count()).toBe(before)
    })
  })
}
