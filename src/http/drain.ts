import type { Clock } from '../core/clock.ts'
import type { Listener } from './listener.ts'

/** How often connections that have become idle are closed while draining. */
const SWEEP_MS = 100

/**
 * Takes no new connections, and resolves when all are gone: those without a request at once, those with one when it is answered, the rest
 * after the deadline.
 *
 * @param deadline - milliseconds
 * @param streamEnds - end the answers that would last until their client ends them
 */
export async function drain(listener: Listener, deadline: number, streamEnds: Iterable<() => void>, clock: Clock): Promise<void> {
  const stopWaiting = clock.after(deadline, () => listener.closeAll())
  const closed = listener.close()
  for (const end of streamEnds) end()
  // A kept-alive connection becomes idle only when its last answer is out.
  const stopSweeping = clock.every(SWEEP_MS, () => listener.closeIdle())
  listener.closeIdle()
  await closed
  stopSweeping()
  stopWaiting()
}
