import { UNACCOUNTED } from '../core/held-memory.ts'
import { createHeldBytes } from './list-filter/held-bytes.ts'
import { createEventSplitter } from './list-filter/split-events.ts'

/** Longest beginning of a stream that is looked at. */
const MAX_LENGTH = 64 * 1024

/** Reads along for something that comes at the beginning of an event stream. */
export interface BeginningReader<T> {
  read(chunk: Uint8Array): void
  /** Undefined until it has come, and where it does not. */
  readonly found: T | undefined
}

/** @param find - called with the data of each event until it has found something */
export function createBeginningReader<T>(find: (data: string) => T | undefined): BeginningReader<T> {
  // Each byte is looked at once: a server may send its stream in single bytes.
  let split: ReturnType<typeof createEventSplitter> | undefined = createEventSplitter(createHeldBytes({ memory: UNACCOUNTED }))
  let left = MAX_LENGTH
  let found: T | undefined
  const lookAt = (event: Buffer): void => {
    const data = found === undefined ? readData(event) : undefined
    if (data !== undefined) found = find(data)
  }
  return {
    get found() {
      return found
    },
    read(chunk) {
      if (split === undefined) return
      split(Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, left))).forEach(lookAt)
      left -= chunk.length
      if (found !== undefined || left <= 0) split = undefined
    },
  }
}

/** The data of an event; undefined where it has none (HTML, Server-sent events §9.2.6). */
function readData(event: Buffer): string | undefined {
  const lines = event
    .toString()
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
  return lines.length === 0 ? undefined : lines.map((line) => line.slice('data:'.length)).join('\n')
}

/** @returns undefined for what is no JSON */
export function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
