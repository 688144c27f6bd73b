import type { RequestSink } from '../channel/server-connection.ts'
import type { Ticket } from '../channel/ticket.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import { replaceResponseId } from '../wire/json-edits.ts'

/**
 * The `initialize` of a session. It goes on when the client that sent it gives up, since a first start (of `npx`, say) may take longer
 * than clients wait; the next one that asks for the same gets its answer.
 */
export class Opening {
  #idKey: string
  #ticket: Ticket | undefined
  #waiter: RequestSink | undefined
  #isPending = true
  /** Hands over an answer that came while nobody waited. */
  #kept: ((waiter: RequestSink, idKey: string) => void) | undefined

  constructor(message: ClientMessage) {
    this.#idKey = message.idKey
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
        this.#settle((waiter, idKey) => waiter.response(replaceResponseId(text, answered, idKey), value))
      },
      failed: (error) => this.#settle((waiter) => waiter.failed(error)),
    }
  }

  sent(ticket: Ticket): void {
    this.#ticket = ticket
  }

  /** A client waits for the answer. */
  attend(message: ClientMessage, waiter: RequestSink): void {
    const { idKey } = message
    if (this.#kept) return this.#kept(waiter, idKey)
    this.#idKey = idKey
    this.#ticket?.moveTo(message)
    this.#waiter = waiter
  }

  /** Nobody waits any more. */
  leave(): void {
    this.#waiter = undefined
  }

  #settle(deliver: (waiter: RequestSink, idKey: string) => void): void {
    if (!this.#isPending) return
    this.#isPending = false
    if (this.#waiter) deliver(this.#waiter, this.#idKey)
    else this.#kept = deliver
  }
}
