import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Store } from '../src/core/store.ts'
import { createMemoryStore } from '../src/store/memory-store.ts'
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

describe('memory', () =>
  contract(async () => {
    const store = createMemoryStore()
    return { store, other: store }
  }))

describe('SQLite', () => {
  const file = join(folder, 'sub', 'store.db')
  contract(async () => ({ store: openSqliteStore(file), other: openSqliteStore(file) }))

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

  it('says so when nobody answers, and what the connection met', async () => {
    const plan = { url: `redis://127.0.0.1:${await findFreePort()}`, password: undefined, prefix: '' }
    await expect(openRedisStore(plan, () => {})).rejects.toThrow(/^broker\.store: no connection .+ECONNREFUSED/)
  }, 10_000)

  it('waits for no answer for long, is not ready meanwhile, and goes on when answers come', async () => {
    const store = await open()
    await store.put('kind', 'slow', 'value')
    server.freeze()
    const asked = [store.find('kind', 'slow'), store.list('kind', 1), store.add('kind', 'slow', 'other')]
    for (const answer of await Promise.allSettled(asked)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('no answer') } })
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

  it('adds an entry once, whoever tries', async () => {
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

  it('deletes a group whole, and nothing else', async () => {
    await store.put('member', 'one', '1', { groups: ['red', 'blue'], expiresAt: Date.now() + 60_000 })
    await store.put('member', 'two', '2', { groups: ['red'] })
    await store.put('member', 'three', '3', { groups: ['blue'], expiresAt: Date.now() + 60_000 })
    await other.deleteGroup('red')
    const values = await Promise.all(['one', 'two', 'three'].map((id) => store.find('member', id)))
    expect(values).toEqual([undefined, undefined, '3'])
    await store.deleteGroup('none')
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
