import { Buffer } from 'node:buffer'

const NEWLINE = 0x0a
const NOTHING = Buffer.alloc(0)
/** As many pieces of a line are concatenated: each piece is an object of 200 bytes, and a server may write single bytes. */
const MAX_LOOSE_PIECES = 256
/** Bytes that are kept of each end of a line that is too long. They are enough to find the id of a response. */
const KEPT_OF_LONG_LINE = 1024

export interface LineHandlers {
  /** Called with each line, without its newline. */
  line(line: Buffer): void
  /** Called with the two ends of a line that is longer than permitted. */
  tooLong(head: Buffer, tail: Buffer): void
  /** Called with the number of further bytes that are held of an incomplete long line. */
  hold?(bytes: number): void
  /** Called with the number of bytes that are no longer held, when the line is complete. */
  release?(bytes: number): void
}

/** Shorter lines come in a piece or two. Their bytes are not counted. */
const LONG_LINE_BYTES = 64 * 1024

/** Splits a byte stream into lines, keeping at most `maxBytes` of an unfinished one. */
export class LineReader {
  readonly #maxBytes: number
  readonly #handlers: LineHandlers
  #held: Buffer[] = []
  #heldBytes = 0
  /** Bytes that were reported by `hold`. */
  #counted = 0
  /** How many of the pieces are concatenations. */
  #packs = 0
  #head: Buffer | undefined
  #tail: Buffer = Buffer.alloc(0)

  /** @param maxBytes - of a line */
  constructor(maxBytes: number, handlers: LineHandlers) {
    this.#maxBytes = maxBytes
    this.#handlers = handlers
  }

  /**
   * @param isEnough - asked behind each line
   * @returns what was not read any more; empty where all was
   */
  push(chunk: Buffer, isEnough: () => boolean = () => false): Buffer {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, end))
      this.#emitLine()
      start = end + 1
      if (isEnough()) return chunk.subarray(start)
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
    return NOTHING
  }

  /** The stream has ended. What is held is the last line. */
  end(): void {
    if (this.#heldBytes > 0 || this.#head) this.#emitLine()
  }

  #hold(piece: Buffer): void {
    if (this.#head) return this.#keepTail(piece)
    this.#held.push(piece)
    this.#heldBytes += piece.length
    if (this.#held.length - this.#packs >= MAX_LOOSE_PIECES) this.#held.push(Buffer.concat(this.#held.splice(this.#packs++)))
    if (this.#heldBytes <= this.#maxBytes) return this.#count()
    const line = this.#takeHeld()
    this.#head = Buffer.from(line.subarray(0, KEPT_OF_LONG_LINE))
    this.#keepTail(line)
  }

  #count(): void {
    if (this.#heldBytes <= LONG_LINE_BYTES) return
    const more = this.#heldBytes - this.#counted
    this.#counted = this.#heldBytes
    this.#handlers.hold?.(more)
  }

  #keepTail(piece: Buffer): void {
    this.#tail = Buffer.from(Buffer.concat([this.#tail, piece.subarray(-KEPT_OF_LONG_LINE)]).subarray(-KEPT_OF_LONG_LINE))
  }

  #emitLine(): void {
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
    if (this.#counted > 0) this.#handlers.release?.(this.#counted)
    this.#counted = 0
    return line
  }
}
