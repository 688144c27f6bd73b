import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** So many pieces, or bytes, are put together before anybody gets them. */
const mostPieces = 256
const mostBytes = 16 * 1024

/**
 * Puts the small pieces of a body together, before somebody else's code collects them: each costs some 200 bytes beside its own, and a
 * stranger may send single ones (RFC 9112 §7.1 sets no least size for a chunk). For bodies that are of no use before they are whole.
 */
export function packBody(request: IncomingMessage): void {
  let pieces: Buffer[] = []
  let length = 0
  const pass = (piece: Buffer | null): boolean => Readable.prototype.push.call(request, piece)
  const passPack = (): boolean => {
    if (length === 0) return true
    const pack = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, length)
    pieces = []
    length = 0
    return pass(pack)
  }
  request.push = (piece: Buffer | null) => {
    if (piece === null) {
      passPack()
      return pass(null)
    }
    pieces.push(piece)
    length += piece.length
    return pieces.length < mostPieces && length < mostBytes ? true : passPack()
  }
}
