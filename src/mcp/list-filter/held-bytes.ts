import { ProxyError } from '../../core/errors.ts'
import type { MemoryShare } from '../../core/held-memory.ts'

/** The longest answer, or event, that is filtered. Results of calls pass here as well, and may hold images. */
export const MAX_HELD_BYTES = 16 * 1024 * 1024
/** So much is held without asking, like what arrives with one read. */
export const FREE_BYTES = 64 * 1024

/** Bytes that are held until all have come. */
export interface HeldBytes {
  readonly length: number
  /** @throws ProxyError `answer_unfilterable` when there are too many, `upstream_busy` when there is no memory for them */
  add(chunk: Uint8Array): void
  /** All that was added. Nothing is held any more. */
  take(): Buffer
}

/** Has memory from which is taken what is held. */
export interface MemoryHolder {
  /** Asked for only when something long is held. */
  readonly memory: MemoryShare
}

export function createHeldBytes(holder: MemoryHolder): HeldBytes {
  let bytes = NOTHING
  let length = 0
  let taken = 0
  let memory: MemoryShare | undefined
  /** Node holds each chunk as an object of some 200 bytes: they are put together, in twice the room at most. */
  const grow = (least: number): void => {
    if (least > MAX_HELD_BYTES) throw refuse(`longer than ${MAX_HELD_BYTES} bytes`)
    const size = length === 0 ? least : Math.min(2 * least, MAX_HELD_BYTES)
    if (size > FREE_BYTES) {
      memory ??= holder.memory
      if (!memory.take(size - taken)) throw busy()
      taken = size
    }
    const before = bytes.subarray(0, length)
    bytes = Buffer.allocUnsafe(size)
    bytes.set(before)
  }
  return {
    get length() {
      return length
    },
    add(chunk) {
      if (length + chunk.length > bytes.length) grow(length + chunk.length)
      bytes.set(chunk, length)
      length += chunk.length
    },
    take() {
      const all = bytes.subarray(0, length)
      if (taken > 0) memory?.give(taken)
      bytes = NOTHING
      length = 0
      taken = 0
      return all
    },
  }
}

const NOTHING: Buffer = Buffer.alloc(0)

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
