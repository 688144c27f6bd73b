import { expect, it } from 'vitest'
import { findTurnMs, waitForTurn } from './turn-share.ts'

it('processes with lines left share the time of a turn, so that many take no longer than one', async () => {
  const alone = findTurnMs()
  const turns = Array.from({ length: 9 }, () => new Promise<void>(waitForTurn))
  expect(findTurnMs()).toBeCloseTo(alone / 10)
  await Promise.all(turns)
  expect(findTurnMs()).toBe(alone)
})
