import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createStepUps } from './step-ups.ts'

it('knows what a client was told for ten seconds, once, and by grant', () => {
  const clock = createFakeClock()
  const stepUps = createStepUps(clock)
  stepUps.note('one', ['a'])
  stepUps.note('one', ['b', 'c'])
  stepUps.note('other', ['d'])
  clock.advance(9_999)
  expect(stepUps.take('one')).toEqual(['b', 'c'])
  expect(stepUps.take('one')).toBeUndefined()
  expect(stepUps.take('nobody')).toBeUndefined()
  clock.advance(1)
  expect(stepUps.take('other')).toBeUndefined()
})
