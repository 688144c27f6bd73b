import { randomBytes } from 'node:crypto'
import type { EventStream } from './event-stream.ts'

/** What is kept for clients that come back, for all streams of an MCP session together. */
const mostEvents = 1000
const mostCharacters = 1024 * 1024

interface KeptEvent {
  readonly stream: EventStream
  readonly sequence: number
  readonly text: string
}

/**
 * The last events of an MCP session, so that a stream can be taken up again behind the last event that arrived (2025-11-25,
 * basic/transports, Resumability and Redelivery). Bounded: the oldest events go first, and what is gone is said to be gone.
 */
export class StreamLog {
  readonly #events: KeptEvent[] = []
  readonly #streams = new Map<string, EventStream>()
  #characters = 0

  /** Names a stream. Event ids are unique in the session, and tell which stream they belong to. */
  register(stream: EventStream): string {
    const key = randomBytes(6).toString('hex')
    this.#streams.set(key, stream)
    return key
  }

  keep(stream: EventStream, sequence: number, text: string): void {
    this.#events.push({ stream, sequence, text })
    this.#characters += text.length
    while (this.#events.length > mostEvents || this.#characters > mostCharacters) {
      this.#characters -= this.#events.shift()?.text.length ?? 0
    }
    if (this.#streams.size > mostEvents) this.#forgetStreams()
  }

  /** Kept events of a stream behind a number. */
  after(stream: EventStream, sequence: number): readonly KeptEvent[] {
    return this.#events.filter((event) => event.stream === stream && event.sequence > sequence)
  }

  /** The stream and the number that an event id stands for. */
  find(eventId: string): { readonly stream: EventStream; readonly sequence: number } | undefined {
    const [, key = '', sequence = ''] = /^([0-9a-f]{12})_(\d{1,15})$/.exec(eventId) ?? []
    const stream = this.#streams.get(key)
    return stream && { stream, sequence: Number(sequence) }
  }

  /** Streams that are over and of which nothing is left to send. */
  #forgetStreams(): void {
    const kept = new Set(this.#events.map(({ stream }) => stream))
    for (const [key, stream] of this.#streams) if (stream.isEnded && !kept.has(stream)) this.#streams.delete(key)
  }
}
