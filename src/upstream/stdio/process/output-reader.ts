import type { Buffer } from 'node:buffer'
import type { Clock } from '../../../core/clock.ts'
import { type ChildLine, readChildLine, readLongLine } from '../wire/child-messages.ts'
import { formatError } from '../wire/json-responses.ts'
import { LineReader } from './line-reader.ts'
import type { ProcessHandlers } from './server-process.ts'
import { beginTurn } from './turn-share.ts'

/** Characters of a line that are logged. */
const MAX_NOTE_LENGTH = 500

export interface OutputOptions extends Pick<ProcessHandlers, 'message' | 'broken'> {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly maxMessageBytes: number
  /** Whether the process has ended or failed, so that nothing of it counts any more. */
  readonly isOver: () => boolean
  /** Writes a line to the log. */
  readonly note: (line: string) => void
  /** Answers the process. */
  readonly reply: (text: string) => void
  /** Ends the process. */
  readonly fail: (reason: string) => void
  /** Takes memory for a long line. @returns false when there is none left */
  readonly hold: (bytes: number) => boolean
  readonly release: (bytes: number) => void
}

/** Reads the messages that a process writes to its standard output. */
export class OutputReader {
  readonly #options: OutputOptions
  readonly #lines: LineReader

  constructor(options: OutputOptions) {
    this.#options = options
    this.#lines = new LineReader(options.maxMessageBytes, {
      line: (line) => this.#read(readChildLine(line), line),
      tooLong: (head, tail) => this.#readLong(readLongLine(head, tail)),
      hold: (bytes) => {
        if (!options.hold(bytes)) options.fail('wrote more than there is memory for')
      },
      release: options.release,
    })
  }

  /** @returns what has to wait for another turn of the event loop; empty as a rule */
  push(chunk: Buffer): Buffer {
    return this.#lines.push(chunk, beginTurn(this.#options.clock))
  }

  /** The output has ended. Its last line may lack a line break. */
  end(): void {
    this.#lines.end()
  }

  #read(read: ChildLine, line: Buffer): void {
    if (this.#options.isOver()) return
    if (read.kind === 'batch') for (const each of read.lines) this.#read(each, line)
    else if (read.kind === 'messages') this.#pass(read)
    else if (read.kind === 'broken') this.#break(read.id, read.reason)
    else if (read.kind === 'refused') this.#refuse(read.id, read.reason)
    // As in #readLong.
    else if (read.kind === 'unclear') this.#options.fail(`wrote a message with ${read.reason}, and without a clear id`)
    else if (read.reason !== '')
      this.#options.note(`(standard output, ${read.reason}) ${line.subarray(0, MAX_NOTE_LENGTH).toString('utf8')}`)
  }

  #pass({ messages, around }: ChildLine & { kind: 'messages' }): void {
    if (around !== undefined) this.#options.note(`(standard output, around a message) ${around.slice(0, MAX_NOTE_LENGTH)}`)
    for (const message of messages) this.#options.message(message)
  }

  #refuse(id: string | number, reason: string): void {
    this.#options.note(`(standard output) a request that cannot be passed on: ${reason}`)
    this.#options.reply(formatError(JSON.stringify(id), -32600, `Invalid request: ${reason}`))
  }

  /** A long line without a readable id may be the response to any request, so no request can rely on the process any more. */
  #readLong(read: ChildLine): void {
    if (this.#options.isOver()) return
    if (read.kind === 'broken') return this.#break(read.id, read.reason)
    this.#options.fail(`wrote a line of more than ${this.#options.maxMessageBytes} bytes`)
  }

  #break(id: string | number, reason: string): void {
    this.#options.note(`(standard output) an answer that cannot be passed on: ${reason}`)
    this.#options.broken(id, reason)
  }
}
