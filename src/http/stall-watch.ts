import type { Socket } from 'node:net'
import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'

/** Looked at this often within the time that is given, and at least every so many milliseconds. */
const CHECKS = 4
const MAX_INTERVAL_MS = 5000

/** Node's own, which tells what of a long piece the system has taken already. With TLS, what goes out is the inner socket's. */
interface QueueingSocket extends Socket {
  readonly _handle?: { readonly writeQueueSize?: number } | null
  readonly _parent?: QueueingSocket | null
}

/** What a client has taken, and since when it has taken no more. */
interface Waiting {
  readonly taken: number
  readonly queued: number | undefined
  readonly since: number
}

/**
 * Cuts off clients that take nothing of what waits for them. All are checked together, from time to time: a timer for each connection would
 * be reset by everything that moves on it.
 *
 * @param sockets - that are open; may change
 * @param seconds - after which a client that took nothing is cut off, exact to a quarter and five seconds
 * @returns what ends the watch
 */
export function watchStalled(sockets: Iterable<Socket>, seconds: number, clock: Clock = systemClock): CancelTimer {
  const milliseconds = seconds * 1000
  const known = new WeakMap<Socket, Waiting>()
  const look = (socket: QueueingSocket, now: number): void => {
    // What is on its way counts as written already.
    const taken = socket.bytesWritten - socket.writableLength
    const queued = (socket._parent ?? socket)._handle?.writeQueueSize
    const before = known.get(socket)
    if (socket.writableLength === 0) known.delete(socket)
    else if (before?.taken !== taken || before.queued !== queued) known.set(socket, { taken, queued, since: now })
    else if (now - before.since >= milliseconds) cutOff(socket)
  }
  return clock.every(Math.min(MAX_INTERVAL_MS, milliseconds / CHECKS), () => {
    const now = clock.monotonic()
    for (const socket of sockets) look(socket, now)
  })
}

/** By a reset, since to HTTP/1.0 an orderly end of the connection is the end of the answer. TLS has an end of its own, which is left out. */
function cutOff(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
