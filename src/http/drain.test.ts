import { expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { drain } from './drain.ts'

function start(deadline = 1000) {
  const clock = createFakeClock()
  const closed = Promise.withResolvers<void>()
  const listener = {
    host: '',
    port: 0,
    closeAfterAnswers: vi.fn(),
    close: vi.fn(() => closed.promise),
    closeIdle: vi.fn(),
    closeSilent: vi.fn(),
    closeAll: vi.fn(),
    closeNow: vi.fn(),
    renew: vi.fn(),
  }
  const endStream = vi.fn()
  const drained = drain(listener, deadline, [endStream], clock)
  return { clock, closed, listener, endStream, drained }
}

it('takes no new connections, and ends streams and idle connections at once', () => {
  const { listener, endStream } = start()
  expect(listener.close).toHaveBeenCalledOnce()
  expect(endStream).toHaveBeenCalledOnce()
  expect(listener.closeIdle).toHaveBeenCalledOnce()
})

it('closes connections as they become idle, and cuts the rest at the deadline and not before', () => {
  const { clock, listener } = start()
  clock.advance(999)
  expect(listener.closeIdle.mock.calls.length).toBeGreaterThan(5)
  expect(listener.closeAll).not.toHaveBeenCalled()
  clock.advance(1)
  expect(listener.closeAll).toHaveBeenCalledOnce()
})

it('gives a connection that was just taken a moment for its first byte, and does not wait for longer', () => {
  const { clock, listener } = start(10_000)
  clock.advance(999)
  expect(listener.closeSilent).not.toHaveBeenCalled()
  clock.advance(1)
  expect(listener.closeSilent).toHaveBeenCalledOnce()
})

it('leaves no timer behind', async () => {
  const { clock, closed, listener, drained } = start()
  closed.resolve()
  await drained
  expect(clock.pending).toBe(0)
  clock.advance(2000)
  expect(listener.closeAll).not.toHaveBeenCalled()
})
