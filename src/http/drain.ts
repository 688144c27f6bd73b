import type { Clock } from '../core/clock.ts'
import type { Listener } from './listener.ts'

/** Interval at which idle connections are closed while draining. */
const SWEEP_MS = 100
/** Time for the first byte on a connection that was taken just before. */
const SILENT_MS = 1000

/**
 * Accepts no new connections and resolves when all are closed: idle ones at once, those without a byte a little later, others when their
 * request is answered, the rest after the deadline.
 *
 * @param deadline - milliseconds
 * @param streamEnds - end the answers that would last until their client ends them
 */
export async function drain(listener: Listener, deadline: number, streamEnds: Iterable<() => void>, clock: Clock): Promise<void> {
  const stopWaiting = clock.after(deadline, () => listener.closeAll())
  const closed = listener.close()
  for (const end of streamEnds) end()
  // A kept-alive connection becomes idle only when its last response has been sent.
  const stopSweeping = clock.every(SWEEP_MS, () => listener.closeIdle())
  const stopExpecting = clock.after(SILENT_MS, () => listener.closeSilent())
  listener.closeIdle()
  await closed
  stopSweeping()
  stopExpecting()
  stopWaiting()
}

/** `/readyz` has fallen: until load balancers have noticed, they go on sending requests here. */
export async function waitForLoadBalancers(listener: Listener, seconds: number, clock: Clock): Promise<void> {
  listener.closeAfterAnswers()
  if (seconds > 0) await new Promise<void>((resolve) => clock.after(seconds * 1000, resolve))
}
