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
import { storeContract } from './contract/store.ts'
import { findFreePort } from './support/free-port.ts'
import { createRedisPlan } from './support/redis-plan.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

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
  storeContract(async () => {
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
  storeContract(async () => ({ store: openSqliteStore(file), other: openSqliteStore(file) }))
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

  it('can be copied by VACUUM INTO while it is used, as docs/operations.md says, and the copy has all of it', async () => {
    const path = join(folder, 'used.db')
    const store = openSqliteStore(path)
    await store.put('Kind', 'id', 'value')
    const reader = new DatabaseSync(path)
    reader.exec(`VACUUM INTO '${join(folder, 'backup.db')}'`)
    reader.close()
    await store.close()
    const copy = openSqliteStore(join(folder, 'backup.db'))
    expect(await copy.find('Kind', 'id')).toBe('value')
    await copy.close()
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
  const open = () => openRedisStore(createRedisPlan(server.port), () => {})
  storeContract(async () => ({ store: await open(), other: await open() }))
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
    const plan = createRedisPlan(await findFreePort())
    await expect(openRedisStore(plan, () => {})).rejects.toThrow(/^store: no connection .+ECONNREFUSED/)
  })

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
  })

  it('is closed also where no answer comes any more', async () => {
    const store = await open()
    server.freeze()
    const asked = expect(store.find('kind', 'slow')).rejects.toThrow()
    await store.close()
    await asked
    server.thaw()
  })
})

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
    const soon = (milliseconds = 1000) => Date.now() + milliseconds

    it('leaves nothing behind, however it was written, changed or removed', async () => {
      const { store, count, pass } = opened
      await store.put('a', 'plain', 'x', { expiresAt: soon() })
      await store.add('b', 'added', 'x', { expiresAt: soon(), groups: ['user', 'grant'] })
      await store.put('b', 'renewed', 'x', { expiresAt: soon(), groups: ['user'] })
      await store.put('b', 'renewed', 'y', { expiresAt: soon(1030), groups: ['user', 'other'] })
      await store.put('c', 'shortened', 'x', { groups: ['never'] })
      await store.put('c', 'shortened', 'x', { expiresAt: soon(), groups: ['never'] })
      await store.put('d', 'replaced', 'x', { expiresAt: soon(), groups: ['swap'] })
      await store.replace('d', 'replaced', 'x', 'y')
      await store.put('e', 'taken', 'x', { groups: ['user'] })
      await store.take('e', 'taken')
      await store.put('f', 'deleted', 'x', { groups: ['gone', 'user'] })
      await store.deleteGroup('gone')
      expect(await count()).toBeGreaterThan(8)
      await pass(1100)
      expect(await count()).toBe(0)
    })

    it('does not pile up under what is still used: a user who stays, a kind that is written all the time', async () => {
      const { store, count, pass } = opened
      await store.put('kind', 'lasting', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      await store.put('kind', 'next', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      const before = await count()
      for (let time = 0; time < 50; time += 1)
        await store.put('kind', `passing ${time}`, 'x', { expiresAt: soon(), groups: ['user'] })
      await pass(1100)
      await store.put('kind', 'next', 'x', { expiresAt: soon(600_000), groups: ['user'] })
      expect(await count()).toBe(before)
    })
  })
}
