import type { EventEmitter } from 'node:events'
import { type Clock, systemClock } from '../core/clock.ts'

/** Turns of the event loop after which a flood of connections, or of work, no longer holds up the end. */
const MAX_TURNS = 5000
/** A turn that takes longer has done something since it looked for connections. */
const QUIET_MS = 0.2

/**
 * Resolves when the listening socket can be closed. That resets the connections that the system has accepted and Node has not, with the
 * requests on them. Node accepts one in each turn of its event loop, so none is waiting where none came in a whole turn; and a short one,
 * since what arrives between the look for connections and the close is lost.
 *
 * @param server - emits `connection` for each that it accepts
 */
export async function acceptWaiting(server: EventEmitter, clock: Clock = systemClock): Promise<void> {
  let accepted = false
  const note = (): void => {
    accepted = true
  }
  server.on('connection', note)
  // The first turn may have looked for connections already.
  await nextTurn()
  for (let turn = 0; turn < MAX_TURNS; turn += 1) {
    const begin = clock.monotonic()
    accepted = false
    await nextTurn()
    if (!accepted && clock.monotonic() - begin <= QUIET_MS) break
  }
  server.off('connection', note)
}

/** Resolves right after the event loop has looked for what has arrived. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
