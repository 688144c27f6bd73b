import type { Socket } from 'node:net'
import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'

/** Looked at this often within the time that is given, and at least every so many milliseconds. */
const CHECKS = 4
const MAX_INTERVAL_MS = 5000

/** Internals of Node that show how much of a long piece the system has taken. With TLS, those of the inner socket count. */
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
 * Cuts off clients that do not read their response. All are checked together, at intervals: a timer for each connection would have to be
 * reset by every write.
 *
 * @param sockets - open connections; may change
 * @param seconds - after which a client that read nothing is cut off, exact to a quarter of it or five seconds
 * @returns stops the watch
 */
export function watchStalled(sockets: Iterable<Socket>, seconds: number, clock: Clock = systemClock): CancelTimer {
  const milliseconds = seconds * 1000
  const known = new WeakMap<Socket, Waiting>()
  const look = (socket: QueueingSocket, now: number): void => {
    // Bytes on their way count as written already.
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

/** By a reset, since in HTTP/1.0 a regular end of the connection ends the answer. TLS signals its own end, which is not sent. */
function cutOff(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
