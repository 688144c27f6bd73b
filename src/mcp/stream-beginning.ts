import { UNACCOUNTED } from '../core/held-memory.ts'
import { HeldBytes } from './list-filter/held-bytes.ts'
import { createEventSplitter } from './list-filter/split-events.ts'

/** Longest beginning of a stream that is looked at. */
const MAX_LENGTH = 64 * 1024
/** Most events with data that are looked at: each is parsed. */
const MAX_EVENTS = 100

/**
 * Reads along for something that comes at the beginning of an event stream. A class: V8 would keep an object literal with a getter until the
 * whole heap is collected.
 */
export class BeginningReader<T> {
  readonly #find: (data: string) => T | undefined
  /** Each byte is looked at once: a server may send its stream in single bytes. */
  #split: ReturnType<typeof createEventSplitter> | undefined = createEventSplitter(new HeldBytes({ memory: UNACCOUNTED }))
  #left = MAX_LENGTH
  #leftEvents = MAX_EVENTS
  #found: T | undefined

  /** @param find - called with the data of each event until it has found something */
  constructor(find: (data: string) => T | undefined) {
    this.#find = find
  }

  /** Undefined until it has come, and where it does not. */
  get found(): T | undefined {
    return this.#found
  }

  read(chunk: Uint8Array): void {
    if (this.#split === undefined) return
    for (const event of this.#split(Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, this.#left))))
      this.#lookAt(event)
    this.#left -= chunk.length
    if (this.#found !== undefined || this.#left <= 0 || this.#leftEvents === 0) this.#split = undefined
  }

  #lookAt(event: Buffer): void {
    const data = this.#found === undefined && this.#leftEvents > 0 ? readData(event) : undefined
    if (data === undefined) return
    this.#leftEvents--
    this.#found = this.#find(data)
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
