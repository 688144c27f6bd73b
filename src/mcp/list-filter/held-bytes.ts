import { ProxyError } from '../../core/errors.ts'
import type { MemoryShare } from '../../core/held-memory.ts'

/** The longest answer, or event, that is filtered. Results of calls pass here as well, and may hold images. */
const MAX_HELD_BYTES = 16 * 1024 * 1024
/** So much is held without asking, like what arrives with one read. */
export const FREE_BYTES = 64 * 1024

/** Has memory from which is taken what is held. */
export interface MemoryHolder {
  /** Asked for only when something long is held. */
  readonly memory: MemoryShare
}

const NOTHING: Buffer = Buffer.alloc(0)

/** Bytes that are held until all have come. A class: V8 would keep an object literal with a getter until the whole heap is collected. */
export class HeldBytes {
  readonly #holder: MemoryHolder
  #bytes = NOTHING
  #length = 0
  #taken = 0
  #memory: MemoryShare | undefined

  constructor(holder: MemoryHolder) {
    this.#holder = holder
  }

  get length(): number {
    return this.#length
  }

  /** @throws ProxyError `answer_unfilterable` when there are too many, `upstream_busy` when there is no memory for them */
  add(chunk: Uint8Array): void {
    if (this.#length + chunk.length > this.#bytes.length) this.#grow(this.#length + chunk.length)
    this.#bytes.set(chunk, this.#length)
    this.#length += chunk.length
  }

  /** All that was added. Nothing is held any more. */
  take(): Buffer {
    const all = this.#bytes.subarray(0, this.#length)
    if (this.#taken > 0) this.#memory?.give(this.#taken)
    this.#bytes = NOTHING
    this.#length = 0
    this.#taken = 0
    return all
  }

  /** Node holds each chunk as an object of some 200 bytes: they are put together, in twice the room at most. */
  #grow(least: number): void {
    if (least > MAX_HELD_BYTES) throw refuse(`longer than ${MAX_HELD_BYTES} bytes`)
    const size = this.#length === 0 ? least : Math.min(2 * least, MAX_HELD_BYTES)
    if (size > FREE_BYTES) {
      this.#memory ??= this.#holder.memory
      if (!this.#memory.take(size - this.#taken)) throw busy()
      this.#taken = size
    }
    const before = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafe(size)
    this.#bytes.set(before)
  }
}

function refuse(what: string): ProxyError {
  return new ProxyError('answer_unfilterable', { cause: what })
}

function busy(): ProxyError {
  return new ProxyError('upstream_busy', {
    reason: 'memory_full',
    cause: 'answers that are to be filtered use all memory',
    retryAfter: 5,
  })
}
