import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Foundation } from './foundation.ts'
import type { Generation } from './generation.ts'
import { createRetirement } from './retirement.ts'

function createGeneration(name: string, closed: string[]): Generation {
  const close = async (part: string) => void closed.push(`${part} of ${name}`)
  const parts = {
    plan: { servers: [], drainSeconds: 1 },
    servers: [],
    mounted: { broker: { close: () => close('broker') } },
    rewrite: { rewrite: { close: () => close('rewrite') } },
    logout: { handlers: [], close: () => close('logout') },
  }
  return parts as unknown as Generation
}

it('a reload closes what the configuration before had, once sign-ins and logouts that run are over', () => {
  const clock = createFakeClock()
  const foundation = { clock, issuers: { release: () => [] }, openRequests: new Set() } as unknown as Foundation
  const closed: string[] = []
  const [first, second] = [createGeneration('first', closed), createGeneration('second', closed)]
  createRetirement(foundation).retire(first, second)
  clock.advance(29_000)
  expect(closed).toEqual([])
  clock.advance(1000)
  expect(closed).toEqual(['broker of first', 'rewrite of first', 'logout of first'])
})

it('the end of the process closes at once what still waits', async () => {
  const clock = createFakeClock()
  const foundation = { clock, issuers: { release: () => [] }, openRequests: new Set() } as unknown as Foundation
  const closed: string[] = []
  const retirement = createRetirement(foundation)
  retirement.retire(createGeneration('first', closed), createGeneration('second', closed))
  await retirement.close()
  expect(closed).toContain('logout of first')
})
