import { randomBytes } from 'node:crypto'
import type { MemoryShare } from '../../../core/held-memory.ts'

/** Bounds of what is kept for all streams of an MCP session together. */
const MAX_EVENTS = 1000
const MAX_CHARACTERS = 1024 * 1024
/** Kept events take at most this part of a user's memory, so that some is left for responses. */
const PART_OF_MEMORY = 1 / 2
/** At most. */
const BYTES_PER_CHARACTER = 2

interface KeptEvent<Stream> {
  readonly stream: Stream
  readonly sequence: number
  readonly text: string
}

/**
 * The last events of an MCP session, so that a stream can be resumed after the last event that arrived (2025-11-25, basic/transports,
 * Resumability and Redelivery). The oldest events are evicted first. A client that asks for an evicted event is told so.
 */
export class StreamLog<Stream extends { readonly isEnded: boolean }> {
  readonly #events: KeptEvent<Stream>[] = []
  readonly #streams = new Map<string, Stream>()
  readonly #memory: MemoryShare
  #characters = 0
  /** With more streams, those that have ended are removed. */
  #maxStreams = MAX_EVENTS

  constructor(memory: MemoryShare) {
    this.#memory = memory
  }

  /** Chooses the key of a stream. It is part of the ids of its events, which are unique in the session. */
  register(stream: Stream): string {
    const key = randomBytes(6).toString('hex')
    this.#streams.set(key, stream)
    if (this.#streams.size > this.#maxStreams) this.#removeEnded()
    return key
  }

  keep(stream: Stream, sequence: number, text: string): void {
    while (this.#events.length >= MAX_EVENTS || this.#characters + text.length > MAX_CHARACTERS) if (!this.#evictOldest()) return
    while (!this.#memory.take(text.length * BYTES_PER_CHARACTER, PART_OF_MEMORY)) if (!this.#evictOldest()) return
    this.#events.push({ stream, sequence, text })
    this.#characters += text.length
  }

  /** The kept events of a stream after one of its events. */
  after(stream: Stream, sequence: number): readonly KeptEvent<Stream>[] {
    return this.#events.filter((event) => event.stream === stream && event.sequence > sequence)
  }

  /** The stream and the sequence number in an event id. */
  find(eventId: string): { readonly stream: Stream; readonly sequence: number } | undefined {
    const [, key = '', sequence = ''] = /^([0-9a-f]{12})_(\d{1,15})$/.exec(eventId) ?? []
    const stream = this.#streams.get(key)
    return stream && { stream, sequence: Number(sequence) }
  }

  /** Gives back all memory at the end of the session. */
  close(): void {
    while (this.#evictOldest());
  }

  /** @returns false when there is no event left */
  #evictOldest(): boolean {
    const oldest = this.#events.shift()
    if (!oldest) return false
    this.#characters -= oldest.text.length
    this.#memory.give(oldest.text.length * BYTES_PER_CHARACTER)
    return true
  }

  /** Removes streams that have ended and have no event left. */
  #removeEnded(): void {
    const kept = new Set(this.#events.map(({ stream }) => stream))
    for (const [key, stream] of this.#streams) if (stream.isEnded && !kept.has(stream)) this.#streams.delete(key)
    this.#maxStreams = Math.max(MAX_EVENTS, 2 * this.#streams.size)
  }
}
