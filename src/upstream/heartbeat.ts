import type { ReplyHeaders } from '../core/reply.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'

/** A comment, which all readers of event streams ignore (HTML, Server-sent events §9.2.6). */
export const HEARTBEAT = Buffer.from(':\n\n')

const LF = 0x0a
const CR = 0x0d
/** The last three bytes. The beginning of a stream is treated like the end of an event. */
export const BEGINNING_OF_STREAM = (LF << 8) | LF

/** The last three bytes after another piece. */
export function followTail(tail: number, piece: Uint8Array): number {
  let next = tail
  for (let at = Math.max(0, piece.length - 3); at < piece.length; at++) next = ((next << 8) | (piece[at] ?? 0)) & 0xffffff
  return next
}

/** Whether the last line is blank, so that what is written next is not part of an event. */
export function isBetweenEvents(tail: number): boolean {
  const last = tail & 0xff
  const before = (tail >> 8) & 0xff
  if (last === LF && before === CR) return isLineEnd(tail >> 16)
  return isLineEnd(last) && isLineEnd(before)
}

function isLineEnd(byte: number): boolean {
  return byte === LF || byte === CR
}

/** Whether comments may be inserted. They can't in a stream that is encoded or has a known length. */
export function takesHeartbeats(headers: ReplyHeaders): boolean {
  return isEventStream(headers) && headers['content-length'] === undefined && headers['content-encoding'] === undefined
}
