import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** So many pieces are put together: each costs some 200 bytes beside its own, and may have one (RFC 9112 §7.1 sets no least size). */
export const MAX_LOOSE_PIECES = 256
/** Or so many bytes, before a library gets them. */
const MAX_PACK_BYTES = 16 * 1024

/** @param length - of all pieces together, in bytes */
export function joinPieces(pieces: readonly Buffer[], length: number): Buffer {
  const [first] = pieces
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, length)
}

/**
 * Joins the small pieces of a body before a library collects them. For bodies that are only used once they are complete.
 */
export function packBody(request: IncomingMessage): void {
  let pieces: Buffer[] = []
  let length = 0
  const pass = (piece: Buffer | null): boolean => Readable.prototype.push.call(request, piece)
  const passPack = (): boolean => {
    if (length === 0) return true
    const pack = joinPieces(pieces, length)
    pieces = []
    length = 0
    return pass(pack)
  }
  const push = (piece: Buffer | null): boolean => {
    if (piece === null) {
      passPack()
      return pass(null)
    }
    pieces.push(piece)
    length += piece.length
    return pieces.length < MAX_LOOSE_PIECES && length < MAX_PACK_BYTES ? true : passPack()
  }
  request.push = push
}
