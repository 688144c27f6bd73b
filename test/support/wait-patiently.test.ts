import { expect, it, vi } from 'vitest'

/** Longer than the second that vitest waits by default. */
const soon = performance.now() + 1200
const isSoon = () => performance.now() > soon

it.each([
  ['vi.waitFor', () => vi.waitFor(() => expect(isSoon()).toBe(true))],
  ['vi.waitUntil', () => vi.waitUntil(isSoon)],
  ['expect.poll', () => expect.poll(isSoon).toBe(true)],
])('a test waits with %s for more than a second', { concurrent: true }, async (_name, wait) => {
  expect(isSoon()).toBe(false)
  await wait()
})
