import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import type { Store } from '../../core/store.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createStepUps } from './step-ups.ts'

it('knows what a client was told for ten seconds, once, and by grant', async () => {
  const clock = createFakeClock()
  const stepUps = createStepUps(createMemoryStore(clock), clock)
  stepUps.note('one', ['a'])
  stepUps.note('one', ['b', 'c'])
  stepUps.note('other', ['d'])
  clock.advance(9_999)
  expect(await stepUps.take('one')).toEqual(['b', 'c'])
  expect(await stepUps.take('one')).toBeUndefined()
  expect(await stepUps.take('nobody')).toBeUndefined()
  clock.advance(1)
  expect(await stepUps.take('other')).toBeUndefined()
})

it('knows it in each process that shares the store, once', async () => {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const [one, other] = [createStepUps(store, clock), createStepUps(store, clock)]
  one.note('grant', ['a', 'b'])
  expect(await other.take('grant')).toEqual(['a', 'b'])
  expect(await other.take('grant')).toBeUndefined()
  clock.advance(1_000)
  one.note('grant', ['a', 'b'])
  expect(await other.take('grant')).toEqual(['a', 'b'])
})

it('writes once a second for a client that is refused all the time', () => {
  const clock = createFakeClock()
  let writes = 0
  const put = async () => {
    writes += 1
    throw new Error('the store is away')
  }
  const stepUps = createStepUps({ ...createMemoryStore(clock), put } as Store, clock)
  for (let time = 0; time < 100; time += 1) stepUps.note('grant', ['a'])
  expect(writes).toBe(1)
  clock.advance(1_000)
  stepUps.note('grant', ['a'])
  expect(writes).toBe(2)
})
