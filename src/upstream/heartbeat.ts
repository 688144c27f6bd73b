import type { ReplyHeaders } from '../core/reply.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'

/** A comment, which every reader of events passes over (HTML, Server-sent events §9.2.6). */
export const HEARTBEAT = Buffer.from(':\n\n')

const LF = 0x0a
const CR = 0x0d
/** What stood last, three bytes of it. Nothing at all is as good as the end of an event. */
export const BEGINNING_OF_STREAM = (LF << 8) | LF

/** The last three bytes, with those of another piece. */
export function followTail(tail: number, piece: Uint8Array): number {
  let next = tail
  for (let at = Math.max(0, piece.length - 3); at < piece.length; at++) next = ((next << 8) | (piece[at] ?? 0)) & 0xffffff
  return next
}

/** Whether the last line was a blank one: an event is complete, and whatever is written now is none of its lines. */
export function isBetweenEvents(tail: number): boolean {
  const last = tail & 0xff
  const before = (tail >> 8) & 0xff
  if (last === LF && before === CR) return isLineEnd(tail >> 16)
  return isLineEnd(last) && isLineEnd(before)
}

function isLineEnd(byte: number): boolean {
  return byte === LF || byte === CR
}

/** Whether comments may be written between what comes. A stream that is encoded, or whose length is known, has no room for them. */
export function takesHeartbeats(headers: ReplyHeaders): boolean {
  return isEventStream(headers) && headers['content-length'] === undefined && headers['content-encoding'] === undefined
}
