import type { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { ServerReply } from '../http/server-reply.ts'
import { type AnswerFilterOptions, createAnswerFilter } from '../mcp/list-filter/answer-filter.ts'

/** Passes an answer on as it comes, until a policy comes into force that needs it filtered. A class, since thousands of streams may wait in one of these each. */
export class LateFilter implements Reply {
  readonly #reply: ServerReply
  #begun: { readonly status: number; readonly headers: ReplyHeaders } | undefined
  #filter: Reply | undefined

  constructor(reply: ServerReply) {
    this.#reply = reply
  }

  /** @returns false where that is not possible: it is encoded, no event stream, or in the middle of an event */
  filterFromNowOn(options: AnswerFilterOptions): boolean {
    const begun = this.#begun
    if (begun === undefined || begun.headers['content-encoding'] !== undefined || !this.#reply.isBetweenEvents) return false
    const filter = createAnswerFilter(afterStart(this.#reply), options)
    filter.start(begun.status, begun.headers)
    this.#filter = filter
    return true
  }

  start(status: number, headers: ReplyHeaders): void {
    this.#begun = { status, headers: { ...headers } }
    this.#reply.start(status, headers)
  }

  write(chunk: Uint8Array): boolean {
    return (this.#filter ?? this.#reply).write(chunk)
  }

  end(): void {
    ;(this.#filter ?? this.#reply).end()
  }

  fail(error: ProxyError): void {
    ;(this.#filter ?? this.#reply).fail(error)
  }

  report(error: ProxyError): void {
    this.#reply.report(error)
  }

  onDrain(listener: () => void): void {
    this.#reply.onDrain(listener)
  }

  onDone(listener: () => void): void {
    this.#reply.onDone(listener)
  }

  onClose(listener: () => void): void {
    this.#reply.onClose(listener)
  }
}

/** A reply whose status and headers have been sent. */
function afterStart(reply: ServerReply): Reply {
  return {
    start: () => undefined,
    write: (chunk) => reply.write(chunk),
    end: () => reply.end(),
    fail: (error) => reply.fail(error),
    report: (error) => reply.report(error),
    onDrain: (listener) => reply.onDrain(listener),
    onDone: (listener) => reply.onDone(listener),
    onClose: (listener) => reply.onClose(listener),
  }
}
