import { randomBytes } from 'node:crypto'
import type { MemoryShare } from '../wire/held-memory.ts'

/** What is kept for clients that come back, for all streams of an MCP session together. */
const mostEvents = 1000
const mostCharacters = 1024 * 1024
/** Of the memory that a user has, kept events leave this much to answers. Characters are two bytes at most. */
const partOfMemory = 1 / 2
const bytesOfCharacter = 2

interface KeptEvent<Stream> {
  readonly stream: Stream
  readonly sequence: number
  readonly text: string
}

/**
 * The last events of an MCP session, so that a stream can be taken up again behind the last event that arrived (2025-11-25,
 * basic/transports, Resumability and Redelivery). Bounded: the oldest events go first, and what is gone is said to be gone.
 */
export class StreamLog<Stream extends { readonly isEnded: boolean }> {
  readonly #events: KeptEvent<Stream>[] = []
  readonly #streams = new Map<string, Stream>()
  readonly #memory: MemoryShare
  #characters = 0
  /** Beyond it those that are over are looked for. */
  #mostStreams = mostEvents

  constructor(memory: MemoryShare) {
    this.#memory = memory
  }

  /** Names a stream. Event ids are unique in the session, and tell which stream they belong to. */
  register(stream: Stream): string {
    const key = randomBytes(6).toString('hex')
    this.#streams.set(key, stream)
    if (this.#streams.size > this.#mostStreams) this.#forgetStreams()
    return key
  }

  keep(stream: Stream, sequence: number, text: string): void {
    while (this.#events.length >= mostEvents || this.#characters + text.length > mostCharacters) if (!this.#forgetOldest()) return
    while (!this.#memory.take(text.length * bytesOfCharacter, partOfMemory)) if (!this.#forgetOldest()) return
    this.#events.push({ stream, sequence, text })
    this.#characters += text.length
  }

  /** Kept events of a stream behind a number. */
  after(stream: Stream, sequence: number): readonly KeptEvent<Stream>[] {
    return this.#events.filter((event) => event.stream === stream && event.sequence > sequence)
  }

  /** The stream and the number that an event id stands for. */
  find(eventId: string): { readonly stream: Stream; readonly sequence: number } | undefined {
    const [, key = '', sequence = ''] = /^([0-9a-f]{12})_(\d{1,15})$/.exec(eventId) ?? []
    const stream = this.#streams.get(key)
    return stream && { stream, sequence: Number(sequence) }
  }

  /** The session is over, and nobody will ask for what is kept. */
  close(): void {
    while (this.#forgetOldest());
  }

  /** What is newer can be of use without it. @returns false when there is none */
  #forgetOldest(): boolean {
    const oldest = this.#events.shift()
    if (!oldest) return false
    this.#characters -= oldest.text.length
    this.#memory.give(oldest.text.length * bytesOfCharacter)
    return true
  }

  /** Streams that are over and of which nothing is left to send. */
  #forgetStreams(): void {
    const kept = new Set(this.#events.map(({ stream }) => stream))
    for (const [key, stream] of this.#streams) if (stream.isEnded && !kept.has(stream)) this.#streams.delete(key)
    this.#mostStreams = Math.max(mostEvents, 2 * this.#streams.size)
  }
}
