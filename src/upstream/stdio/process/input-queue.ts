import type { Writable } from 'node:stream'
import { escapeSeparators } from '../wire/line-ends.ts'
import type { HeldBytes } from './held-bytes.ts'

const MAX_WAITING_MESSAGES = 1000
const MAX_WAITING_BYTES = 8 * 1024 * 1024

/** Messages on their way to the standard input of a process. */
export class InputQueue {
  readonly #input: Writable
  readonly #memory: HeldBytes
  /** Messages that the process has not read. */
  #waiting = 0
  #unsent = ''
  #unsentMessages = 0

  constructor(input: Writable, memory: HeldBytes) {
    this.#input = input
    this.#memory = memory
  }

  get isWritable(): boolean {
    return this.#input.writable
  }

  /**
   * @param message - on one line
   * @returns false when too much is waiting already
   */
  push(message: string): boolean {
    const text = escapeSeparators(message)
    const waitingBytes = this.#input.writableLength + this.#unsent.length
    const isFull = this.#waiting >= MAX_WAITING_MESSAGES || waitingBytes >= MAX_WAITING_BYTES
    if (isFull || !this.#memory.take(text.length)) return false
    this.#waiting++
    // Messages of one tick are written together.
    if (this.#unsent === '') setImmediate(() => this.flush())
    this.#unsent += `${text}\n`
    this.#unsentMessages++
    return true
  }

  flush(): void {
    const count = this.#unsentMessages
    const text = this.#unsent
    this.#unsent = ''
    this.#unsentMessages = 0
    if (text === '') return
    this.#input.write(text, () => {
      this.#waiting -= count
      // The account has each message without its line break.
      this.#memory.give(text.length - count)
    })
  }

  /**
   * Has the input fail where the process has closed it. A message that was in the pipe by then is lost without an error, and only the next
   * write would tell. Nothing is written for this, and the process reads nothing: on Windows it would read the end of its input, so it is not
   * done there.
   */
  check(): void {
    const isQuiet = this.#input.writable && this.#input.writableLength === 0
    if (isQuiet && process.platform !== 'win32') this.#input.write('')
  }

  /** Writes what is left, and ends the input. */
  end(): void {
    this.flush()
    this.#input.end()
  }
}
