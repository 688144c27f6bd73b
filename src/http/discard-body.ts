import type { IncomingMessage } from 'node:http'

/**
 * Discards the rest of a body that is not needed. The memory of each piece is freed at once: until the next garbage collection, a thousand
 * clients that send as fast as they can would take far more than their limit.
 */
export function discardBody(request: IncomingMessage): void {
  request.on('data', letGo)
}

/**
 * Frees the memory of a piece, if the piece owns it, as pieces of a body do; other buffers share theirs.
 */
export function letGo(piece: Buffer): void {
  const memory = piece.buffer as ArrayBuffer
  if (piece.length > 0 && memory.byteLength === piece.length) memory.transfer(0)
}
