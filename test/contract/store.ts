import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Store } from '../../src/core/store.ts'

/** A second adapter on the same entries, as another process would have it; the memory of a process is its own. */
export interface Opened {
  readonly store: Store
  readonly other: Store
}

/** What each store does, whatever it is kept in. */
export function storeContract(open: () => Promise<Opened>): void {
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
