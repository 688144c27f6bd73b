import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createLink, type OpenedMaster } from './redis-link.ts'
import type { RedisNodeClient } from './redis-node.ts'

/** A connection that answers, until it is closed. */
function createMaster(isReady: boolean): OpenedMaster & { readonly destroyed: () => boolean } {
  let isDestroyed = false
  const destroy = (): void => {
    isDestroyed = true
  }
  const client = { isReady, close: async () => {}, destroy } as unknown as RedisNodeClient
  return { client, isStillMaster: async () => true, destroyed: () => isDestroyed }
}

it('makes a connection anew that was lost before it was known to be the one to the master', async () => {
  const clock = createFakeClock()
  const [broken, good] = [createMaster(false), createMaster(true)]
  const tried = Promise.withResolvers<void>()
  const attempts = [
    async (onLost: (error: Error) => void) => {
      onLost(new Error('gone'))
      tried.resolve()
      return broken
    },
    async () => good,
  ]
  const open = (onLost: (error: Error) => void) => (attempts.shift() ?? (async () => good))(onLost)
  const ignore = () => undefined
  const link = createLink({ open, onIssue: ignore, onDoubt: ignore, onClose: ignore, clock, answerMs: 1000 })
  const begun = link.begin()
  await tried.promise
  // The pause between two attempts.
  await expect.poll(() => broken.destroyed()).toBe(true)
  clock.advance(1000)
  await begun
  expect([link.isReady, good.destroyed()]).toEqual([true, false])
  await link.close()
})
