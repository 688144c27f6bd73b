import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'

/** Milliseconds for which the rest of an unread body is discarded, so that the client reads the answer. */
const LINGER_MS = 2000

/**
 * Discards the rest of a body that is not needed. The memory of each piece is freed at once: until the next garbage collection, a thousand
 * clients that send as fast as they can would take far more than their limit.
 */
export function discardBody(request: IncomingMessage): void {
  request.on('data', letGo)
}

/** Discards a body that is still arriving when its request has been answered. The time for it is limited; then the connection is cut. */
export function lingerOverUnreadBody(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  response.on('finish', () => {
    // All of it may have arrived and wait to be read: until then, nothing more is taken from the connection.
    if (request.readableEnded || request.destroyed) return
    discardBody(request)
    if (request.complete) return
    const stop = clock.after(LINGER_MS, () => request.destroy())
    request.on('end', stop).on('close', stop)
  })
}

/**
 * Frees the memory of a piece, if the piece owns it, as pieces of a body do; other buffers share theirs.
 */
export function letGo(piece: Buffer): void {
  const memory = piece.buffer as ArrayBuffer
  if (piece.length > 0 && memory.byteLength === piece.length) memory.transfer(0)
}
