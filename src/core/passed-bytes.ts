import { collectGarbage } from './collect-garbage.ts'

/** Shorter pieces cost more in the heap than beside it, so V8 counts them well enough. */
export const LONG_PIECE_BYTES = 16 * 1024
/** V8 waits for 32 MiB, and the memory that garbage takes at its most is never given back while other pieces lie among it. */
const MAX_UNCOLLECTED_BYTES = 8 * 1024 * 1024

/** Counts the long pieces of answers that pass. */
export interface PassedBytes {
  /** @param bytes - length of a piece of {@link LONG_PIECE_BYTES} or more */
  add(bytes: number): void
}

/** @param collect - collects pieces that were passed on */
export function createPassedBytes(collect: () => void): PassedBytes {
  let uncollected = 0
  return {
    add(bytes) {
      uncollected += bytes
      if (uncollected < MAX_UNCOLLECTED_BYTES) return
      uncollected = 0
      collect()
    },
  }
}

/** Of the process, as its garbage is. */
export const passedBytes: PassedBytes = createPassedBytes(() => collectGarbage('minor'))
