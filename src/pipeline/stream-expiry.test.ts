import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock, type FakeClock } from '../../test/support/fake-clock.ts'
import type { Call } from '../core/call.ts'
import { waitForToken, waitUntil } from './stream-expiry.ts'

const day = 86_400_000
let clock: FakeClock
beforeEach(() => {
  clock = createFakeClock()
})

it.each([1, day, 24 * day, 25 * day, 100 * day, 1000 * day])('runs a task that is %i ms away then, and no sooner', (delay) => {
  const task = vi.fn()
  waitUntil(clock.wall() + delay, task, clock)
  clock.advance(delay - 1)
  expect(task).not.toHaveBeenCalled()
  clock.advance(1)
  expect(task).toHaveBeenCalledOnce()
  clock.advance(100 * day)
  expect(task).toHaveBeenCalledOnce()
  expect(clock.pending).toBe(0)
})

it('runs a task at once whose time is over', () => {
  const task = vi.fn()
  waitUntil(clock.wall() - 1, task, clock)
  expect(task).toHaveBeenCalledOnce()
})

it('never runs what is called off, even behind the first of several timers', () => {
  const task = vi.fn()
  const stop = waitUntil(clock.wall() + 60 * day, task, clock)
  clock.advance(30 * day)
  stop()
  clock.advance(60 * day)
  expect(task).not.toHaveBeenCalled()
})

it('goes by the system clock: set back, it waits longer', () => {
  const task = vi.fn()
  waitUntil(clock.wall() + 1000, task, clock)
  clock.jump(-5000)
  clock.advance(1000)
  expect(task).not.toHaveBeenCalled()
  clock.advance(5000)
  expect(task).toHaveBeenCalledOnce()
})

it('never runs for a token without an end', () => {
  const task = vi.fn()
  waitUntil(Number.POSITIVE_INFINITY, task, clock)
  clock.advance(100 * day)
  expect(task).not.toHaveBeenCalled()
})

describe('the answer', () => {
  const minute = 60_000
  const open = (method: string, operation: string) => {
    const principal = { acceptedUntil: (clock.wall() + minute) / 1000 }
    const end = vi.fn()
    const stop = waitForToken({ method, operations: [{ method: operation }], principal } as unknown as Call, end, clock)
    return { end, stop }
  }

  it.each([
    ['GET', ''],
    ['POST', 'subscriptions/listen'],
  ])('to %s %s ends with the token', (method, operation) => {
    const { end } = open(method, operation)
    clock.advance(minute - 1)
    expect(end).not.toHaveBeenCalled()
    clock.advance(1)
    expect(end).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'token_expired' }))
  })

  it('to a call gets five minutes more', () => {
    const { end } = open('POST', 'tools/call')
    clock.advance(6 * minute - 1)
    expect(end).not.toHaveBeenCalled()
    clock.advance(1)
    expect(end).toHaveBeenCalledOnce()
  })

  it('that is over leaves no timer behind', () => {
    const { end, stop } = open('GET', '')
    stop()
    expect(clock.pending).toBe(0)
    clock.advance(day)
    expect(end).not.toHaveBeenCalled()
  })
})
