import { collectGarbage } from './collect-garbage.ts'

/** Shorter pieces cost more in the heap than beside it, so V8 counts them well enough. */
export const LONG_PIECE_BYTES = 16 * 1024
/** V8 waits for 32 MiB, and the memory that garbage takes at its most is never given back while other pieces lie among it. */
const MAX_UNCOLLECTED_BYTES = 8 * 1024 * 1024

/** Counts the long pieces of answers that pass. */
export interface PassedBytes {
  /**
   * @param piece - of {@link LONG_PIECE_BYTES} or more, as it was read from a connection
   * @returns frees its memory, for when nothing of that read is needed any more; undefined where others may have their bytes in the same memory
   */
  pass(piece: Uint8Array): (() => void) | undefined
}

/** @param collect - collects pieces that were passed on */
export function createPassedBytes(collect: () => void): PassedBytes {
  let uncollected = 0
  return {
    pass(piece) {
      const bytes = piece.length
      uncollected += bytes
      if (uncollected >= MAX_UNCOLLECTED_BYTES) {
        uncollected = 0
        collect()
      }
      if (!hasMemoryOfItsOwn(piece)) return undefined
      return () => {
        uncollected = Math.max(0, uncollected - bytes)
        free(piece)
      }
    },
  }
}

/**
 * Whether it ends what was read at once, and so is the last of it to be passed on, and is more than half of that: Node never gives that
 * much of the memory that buffers share to one of them. In HTTP/2, pieces of several answers would share what was read (`connection-pool.ts`
 * allows HTTP/1.1 alone).
 */
function hasMemoryOfItsOwn({ buffer, byteOffset, length }: Uint8Array): boolean {
  return byteOffset + length === buffer.byteLength && length > buffer.byteLength / 2
}

/** At once, where garbage collection would count it for long as memory in use. What still looks at it finds nothing, never the bytes of others. */
function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}

/** Of the process, as its garbage is. */
export const passedBytes: PassedBytes = createPassedBytes(() => collectGarbage('minor'))
