import { expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import type { ModernRequest } from './modern-request.ts'
import { ParamHeaders } from './param-headers.ts'

it('lists of tools hold memory until they are replaced, forgotten or evicted, and never those of more than a thousand servers', () => {
  let held = 0
  const memory: MemoryShare = {
    take: (bytes) => {
      held += bytes
      return true
    },
    give: (bytes) => {
      held -= bytes
    },
  }
  const headers = new ParamHeaders(createFakeClock(), () => memory)
  const learn = (key: string) =>
    headers.learn({ poolKey: key, principalKey: 'alice' } as ModernRequest, { result: { tools: [{ name: 'echo' }] } }, true)
  learn('0')
  const one = held
  expect(one).toBeGreaterThan(0)
  learn('0')
  expect(held).toBe(one)
  for (let key = 1; key < 1200; key++) learn(String(key))
  expect(held).toBe(1000 * one)
  headers.forget('1199')
  headers.forget('0')
  expect(held).toBe(999 * one)
})
