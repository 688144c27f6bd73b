import { ProxyError } from '../../../core/errors.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import { type MemoryShare, partOfWaiting } from '../wire/held-memory.ts'
import { replaceResponseId } from '../wire/json-edits.ts'

/** Revisions of a server that an old client can't speak to; undefined where that is not why it refuses. */
export type FindRevisions = () => Promise<readonly string[] | undefined>

/**
 * The `initialize` of a session. It goes on when the client that sent it gives up, since a first start (of `npx`, say) may take longer
 * than clients wait; the next one that asks for the same gets its answer.
 */
export class Opening {
  #idKey: string
  #pending: PendingRequest | undefined
  #waiter: RequestSink | undefined
  readonly #memory: MemoryShare
  #isPending = true
  #keptBytes = 0
  /** Hands over an answer that came while nobody waited. */
  #kept: ((waiter: RequestSink, idKey: string) => void) | undefined

  /** @param memory - for an answer that has to be kept */
  constructor(message: ClientMessage, memory: MemoryShare) {
    this.#idKey = message.idKey
    this.#memory = memory
  }

  /** Whether the server has not answered yet. */
  get isPending(): boolean {
    return this.#isPending
  }

  /** Where the server's answer goes. */
  get sink(): RequestSink {
    return {
      related: (text) => this.#waiter?.related(text),
      response: (text, value) => {
        const answered = this.#idKey
        // It is kept if nobody waits, so nothing of what takes more memory than the text may be.
        const outcome = 'error' in value ? { error: readCode(value.error) } : { result: {} }
        this.#settle((waiter, idKey) => waiter.response(replaceResponseId(text, answered, idKey), outcome), 2 * text.length)
      },
      failed: (error) => this.#settle((waiter) => waiter.failed(error)),
    }
  }

  sent(pending: PendingRequest): void {
    this.#pending = pending
  }

  /** A client waits for the answer. */
  attend(message: ClientMessage, waiter: RequestSink): void {
    const { idKey } = message
    if (this.#kept) {
      this.#letGo()
      return this.#kept(waiter, idKey)
    }
    this.#idKey = idKey
    this.#pending?.moveTo(message)
    this.#waiter = waiter
  }

  /** Nobody waits any more. */
  leave(): void {
    this.#waiter = undefined
  }

  /** The session is over. */
  close(): void {
    this.#letGo()
  }

  /** @param bytes - what `deliver` holds */
  #settle(deliver: (waiter: RequestSink, idKey: string) => void, bytes = 0): void {
    if (!this.#isPending) return
    this.#isPending = false
    if (this.#waiter) return deliver(this.#waiter, this.#idKey)
    const hasRoom = this.#memory.take(bytes, partOfWaiting)
    if (hasRoom) this.#keptBytes = bytes
    this.#kept = hasRoom ? deliver : (waiter) => waiter.failed(noRoom())
  }

  #letGo(): void {
    this.#memory.give(this.#keptBytes)
    this.#keptBytes = 0
  }
}

function noRoom(): ProxyError {
  return new ProxyError('upstream_busy', { cause: 'answers that wait for their client take all memory', retryAfter: 30 })
}

function readCode(error: unknown): { readonly code: unknown } {
  return { code: (error as { code?: unknown } | null)?.code }
}

/** Says what an old client could be told: "this message may be the only diagnostic they can surface" (2026-07-28, basic/versioning). */
export async function explain(
  findRevisions: FindRevisions,
  refuse: (revisions: readonly string[]) => void,
  tellRefusal: () => void,
): Promise<void> {
  const revisions = await findRevisions().catch(() => undefined)
  if (revisions) refuse(revisions)
  else tellRefusal()
}
