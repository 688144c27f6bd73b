import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from './bounded-map.ts'

describe('a bounded map', () => {
  it('evicts the oldest entry for a new one once it is full', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    expect([...map]).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    map.set('c', 3)
    expect([...map.keys()]).toEqual(['b', 'c'])
    expect([map.has('a'), map.get('a'), map.get('c'), map.size]).toEqual([false, undefined, 3, 2])
  })

  it('takes an entry that is set again for the newest, and evicts nothing for it', () => {
    const evicted: string[] = []
    const map = new BoundedMap<string, number>(2, (_value, key) => evicted.push(key))
    map.set('a', 1)
    map.set('b', 2)
    map.set('a', 3)
    expect(evicted).toEqual([])
    map.set('c', 4)
    expect(evicted).toEqual(['b'])
    expect(map.get('a')).toBe(3)
  })

  it('does not take an entry that is only read for newer', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.get('a')
    map.has('a')
    map.set('c', 3)
    expect([...map.keys()]).toEqual(['b', 'c'])
  })

  it('calls back for what it evicts, with the entry gone, and for nothing else', () => {
    const evicted: unknown[] = []
    const map: BoundedMap<string, number> = new BoundedMap(1, (value, key) => evicted.push([key, value, map.has(key), map.size]))
    map.set('a', 1)
    map.set('a', 2)
    map.delete('a')
    map.set('b', 3)
    map.clear()
    expect(evicted).toEqual([])
    map.set('c', 4)
    map.set('d', 5)
    expect(evicted).toEqual([['c', 4, false, 1]])
  })

  it('keeps nothing with a bound of 0', () => {
    const map = new BoundedMap<string, number>(0)
    map.set('a', 1)
    expect(map.size).toBe(0)
  })

  it('holds what was set last, as many entries as it may and never more', () => {
    const how = fc.constantFrom('set', 'set', 'set', 'delete', 'clear')
    const step = fc.record({ key: fc.integer({ min: 0, max: 9 }), how })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
        const map = new BoundedMap<number, number>(max)
        let expected: [number, number][] = []
        for (const [at, { key, how }] of steps.entries()) {
          expected = how === 'clear' ? [] : expected.filter(([one]) => one !== key)
          if (how === 'set') expected = [...expected, [key, at] as [number, number]].slice(-max)
          if (how === 'delete') map.delete(key)
          else if (how === 'clear') map.clear()
          else map.set(key, at)
        }
        expect([...map]).toEqual(expected)
      }),
    )
  })
})
