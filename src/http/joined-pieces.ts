import type { ServerResponse } from 'node:http'

const CR = 0x0d
const LF = 0x0a
/** Ends a body: a chunk of no bytes, and no trailers. */
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
/** To copy a short answer costs less than to write it as a piece of its own. */
const MAX_TEXT_BYTES = 4 * 1024

/** Pieces of a body that are written together. */
export interface JoinedPieces {
  readonly pieces: readonly Uint8Array[]
  /** Of all of them, at least one: a chunk of none would end the body. */
  readonly bytes: number
}

/**
 * Writes pieces as one chunk, where Node has announced chunks. Node would hand the system four pieces for each: size, data and two ends of
 * lines.
 */
export function writeJoined(response: ServerResponse, joined: JoinedPieces): void {
  const { chunkedEncoding } = response
  const framed = chunkedEncoding ? formatChunk(joined, false) : join(joined)
  response.chunkedEncoding = false
  response.write(framed)
  // Node frames what it is given next.
  response.chunkedEncoding = chunkedEncoding
}

/**
 * Ends the body with these pieces.
 *
 * @param isAll - whether nothing has been written before, the header section included. Node joins a text to that, so that a short answer is
 * one piece for the system. Each byte is one character of Latin-1
 */
export function endJoined(response: ServerResponse, joined: JoinedPieces, isAll: boolean): void {
  const framed = response.chunkedEncoding ? formatChunk(joined, true) : join(joined)
  response.chunkedEncoding = false
  if (isAll && framed.length <= MAX_TEXT_BYTES) response.end(formatLatin1(framed), 'latin1')
  else response.end(framed)
}

/** RFC 9112 §7.1: the size in hexadecimal digits, the data, and an end of line after each. */
function formatChunk({ pieces, bytes }: JoinedPieces, isLast: boolean): Buffer {
  const size = bytes.toString(16)
  const chunk = Buffer.allocUnsafe(size.length + bytes + 4 + (isLast ? LAST_CHUNK.length : 0))
  let at = writeLineEnd(chunk, chunk.write(size, 'latin1'))
  for (const piece of pieces) {
    chunk.set(piece, at)
    at += piece.length
  }
  at = writeLineEnd(chunk, at)
  if (isLast) chunk.set(LAST_CHUNK, at)
  return chunk
}

function writeLineEnd(chunk: Buffer, at: number): number {
  chunk[at] = CR
  chunk[at + 1] = LF
  return at + 2
}

function join({ pieces, bytes }: JoinedPieces): Uint8Array {
  const [first] = pieces
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, bytes)
}

function formatLatin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}
