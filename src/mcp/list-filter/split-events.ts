import type { HeldBytes } from './held-bytes.ts'

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
/** Lines in one piece. */
const MAX_BETWEEN = 1000

/**
 * Cuts an event stream into complete events, with the blank line that ends each (HTML, Server-sent events §9.2.5). Comments outside of
 * events, and blank lines there, come as pieces of their own, as soon as their lines are complete: those of a chunk together, since each piece
 * is looked at, and a chunk has room for many of them.
 *
 * @param held - holds an event until it is complete; what is in it at the end of the stream is an incomplete one
 * @returns the pieces that are complete with a chunk; together they are the bytes that came
 */
export function createEventSplitter(held: HeldBytes): (chunk: Buffer) => Buffer[] {
  /** The first byte of the line that has begun. */
  let first: number | undefined
  let hasFields = false
  /** A line feed may follow that belongs to the line before. */
  let endsWithCr = false

  /** Where the line that ends belongs: into an event, which it may end, or between two. */
  const endLine = (): 'in' | 'end' | 'between' => {
    const isBlank = first === undefined
    const isComment = first === COLON
    first = undefined
    if (!hasFields && (isBlank || isComment)) return 'between'
    hasFields = !isBlank
    return isBlank ? 'end' : 'in'
  }

  return (chunk) => {
    const pieces: Buffer[] = []
    let from = 0
    /** Lines between events that are not cut off yet. */
    let between = 0
    const cut = (end: number): void => {
      pieces.push(complete(held, chunk.subarray(from, end)))
      from = end
      between = 0
    }
    const findLineEnd = createLineEndFinder(chunk)
    let at = 0
    if (endsWithCr && chunk[0] === LF) {
      at = 1
      if (held.length === 0) cut(1)
    }
    if (chunk.length > 0) endsWithCr = chunk.at(-1) === CR
    while (at < chunk.length) {
      const end = findLineEnd(at)
      if (end > at) first ??= chunk[at]
      if (end === chunk.length) break
      const start = at
      at = chunk[end] === CR && chunk[end + 1] === LF ? end + 2 : end + 1
      const place = endLine()
      if (place === 'between') {
        if (++between === MAX_BETWEEN) cut(at)
      } else {
        if (between > 0) cut(start)
        if (place === 'end') cut(at)
      }
    }
    if (between > 0) cut(at)
    if (from < chunk.length) held.add(chunk.subarray(from))
    return pieces
  }
}

function complete(held: HeldBytes, end: Buffer): Buffer {
  if (held.length === 0) return end
  held.add(end)
  return held.take()
}

/** @returns index of the first line end from an index on; the length where there is none */
function createLineEndFinder(chunk: Buffer): (from: number) => number {
  const find = (byte: number, from: number): number => {
    const at = chunk.indexOf(byte, from)
    return at < 0 ? chunk.length : at
  }
  // Each is looked for again only when it has been passed: most streams have no carriage returns at all.
  let lf = -1
  let cr = -1
  return (from) => {
    if (lf < from) lf = find(LF, from)
    if (cr < from) cr = find(CR, from)
    return Math.min(lf, cr)
  }
}
