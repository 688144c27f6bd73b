import { Buffer } from 'node:buffer'

const NEWLINE = 0x0a
/** So many pieces of a line are put together: a server that writes single bytes would have each held as an object of 200 bytes. */
const mostLoosePieces = 256
/** Of a line that is too long, this much is kept from each end: enough to tell what it would have answered. */
const keptOfLongLine = 1024

export interface LineHandlers {
  /** A line without its newline. The last one may come without having had one. */
  line(line: Buffer): void
  /** A line longer than permitted, which was thrown away but for its two ends. */
  tooLong(head: Buffer, tail: Buffer): void
  /** So many more bytes are held of a long line that is not complete. */
  hold?(bytes: number): void
  /** It is complete, and they are held no more. */
  letGo?(bytes: number): void
}

/** Shorter lines come in a piece or two, and are not counted. */
const longLine = 64 * 1024

/** Splits a byte stream into lines, keeping at most `maxBytes` of an unfinished one. */
export class LineReader {
  readonly #maxBytes: number
  readonly #handlers: LineHandlers
  #held: Buffer[] = []
  #heldBytes = 0
  /** Bytes that the one who reads has been told of. */
  #counted = 0
  /** How many of the pieces have been put together from others. */
  #packs = 0
  #head: Buffer | undefined
  #tail: Buffer = Buffer.alloc(0)

  /** @param maxBytes - longest line; @param handlers - who gets the lines */
  constructor(maxBytes: number, handlers: LineHandlers) {
    this.#maxBytes = maxBytes
    this.#handlers = handlers
  }

  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, end))
      this.#release()
      start = end + 1
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  /** The stream is over: what is held is the last line. */
  end(): void {
    if (this.#heldBytes > 0 || this.#head) this.#release()
  }

  #hold(piece: Buffer): void {
    if (this.#head) return this.#keepTail(piece)
    this.#held.push(piece)
    this.#heldBytes += piece.length
    if (this.#held.length - this.#packs >= mostLoosePieces) this.#held.push(Buffer.concat(this.#held.splice(this.#packs++)))
    if (this.#heldBytes <= this.#maxBytes) return this.#count()
    const line = this.#takeHeld()
    this.#head = Buffer.from(line.subarray(0, keptOfLongLine))
    this.#keepTail(line)
  }

  #count(): void {
    if (this.#heldBytes <= longLine) return
    const more = this.#heldBytes - this.#counted
    this.#counted = this.#heldBytes
    this.#handlers.hold?.(more)
  }

  #keepTail(piece: Buffer): void {
    this.#tail = Buffer.from(Buffer.concat([this.#tail, piece.subarray(-keptOfLongLine)]).subarray(-keptOfLongLine))
  }

  #release(): void {
    const head = this.#head
    if (!head) return this.#handlers.line(this.#takeHeld())
    const tail = this.#tail
    this.#head = undefined
    this.#tail = Buffer.alloc(0)
    this.#handlers.tooLong(head, tail)
  }

  #takeHeld(): Buffer {
    const [only] = this.#held
    const line = this.#held.length === 1 && only ? only : Buffer.concat(this.#held, this.#heldBytes)
    this.#held = []
    this.#heldBytes = 0
    this.#packs = 0
    if (this.#counted > 0) this.#handlers.letGo?.(this.#counted)
    this.#counted = 0
    return line
  }
}
