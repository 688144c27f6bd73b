import type { IncomingMessage } from 'node:http'

/**
 * Throws away what comes of a body that nobody reads, from now on. The memory of each piece is free at once: until the next collection of
 * garbage, that of a thousand clients which send as fast as they can would be far more than what they are permitted together.
 */
export function discardBody(request: IncomingMessage): void {
  request.on('data', letGo)
}

/**
 * Frees the memory of a piece that nobody wants, if it is the piece's own, as Node makes it for each piece of a body; other buffers share
 * theirs.
 */
export function letGo(piece: Buffer): void {
  const memory = piece.buffer as ArrayBuffer
  if (piece.length > 0 && memory.byteLength === piece.length) memory.transfer(0)
}
