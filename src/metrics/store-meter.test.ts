import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { createStoreMeter } from './store-meter.ts'
import { formatMetrics } from './text-format.ts'

it('tells how long the store takes, which operations fail, and whether it can be reached', async () => {
  const clock = createFakeClock()
  const meter = createStoreMeter(clock)
  const read = (): string => formatMetrics(meter.metrics, undefined).text
  expect(read()).toBe('')
  const memory = createMemoryStore(clock)
  let isDown = false
  const slow = {
    ...memory,
    isReady: () => !isDown,
    async find(kind: string, id: string) {
      clock.advance(40)
      if (isDown) throw new Error('no connection')
      return memory.find(kind, id)
    },
  }
  const store = meter.measure(slow)
  await store.put('kind', 'id', 'value')
  expect(await store.find('kind', 'id')).toBe('value')
  expect(read()).toContain('mcp_auth_proxy_store_up 1\n')
  isDown = true
  await expect(store.find('kind', 'id')).rejects.toThrow('no connection')
  const lines = read().split('\n')
  expect(lines).toContain('mcp_auth_proxy_store_up 0')
  const seconds = 'mcp_auth_proxy_store_seconds'
  expect(lines).toContain(`${seconds}_bucket{operation="find",outcome="success",le="0.025"} 0`)
  expect(lines).toContain(`${seconds}_bucket{operation="find",outcome="success",le="0.05"} 1`)
  expect(lines).toContain(`${seconds}_count{operation="find",outcome="failure"} 1`)
  expect(lines).toContain(`${seconds}_count{operation="put",outcome="success"} 1`)
  await store.close()
  expect(read()).not.toContain('store_up')
})

it('measures every operation', async () => {
  const clock = createFakeClock()
  const meter = createStoreMeter(clock)
  const store = meter.measure(createMemoryStore(clock))
  await store.put('k', 'a', '1', { groups: ['g'] })
  await store.add('k', 'b', '1')
  await store.replace('k', 'b', '1', '2')
  expect(await store.take('k', 'b', '2')).toBe('2')
  expect(await store.list('k', 5)).toEqual([{ id: 'a', value: '1' }])
  await store.deleteGroup('g')
  expect(await store.count('k')).toBe(0)
  await store.find('k', 'a')
  const counted = [...formatMetrics(meter.metrics, undefined).text.matchAll(/_count\{operation="(\w+)",outcome="success"\} 1/g)]
  const operations = ['put', 'add', 'replace', 'take', 'list', 'delete_group', 'count', 'find']
  expect(counted.map(([, operation]) => operation).sort()).toEqual(operations.sort())
  await store.close()
})
