import type { ProxyError } from '../core/errors.ts'
import { PassingReply } from '../core/passing-reply.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { ServerReply } from '../http/server-reply.ts'
import { AnswerFilter, type AnswerFilterOptions } from '../mcp/list-filter/answer-filter.ts'

/** Passes an answer on as it comes, until a policy comes into force that needs it filtered. */
export class LateFilter extends PassingReply {
  readonly #server: ServerReply
  #begun: { readonly status: number; readonly headers: ReplyHeaders } | undefined
  #filter: Reply | undefined

  constructor(reply: ServerReply) {
    super(reply)
    this.#server = reply
  }

  /** @returns false where that is not possible: it is encoded, no event stream, or in the middle of an event */
  filterFromNowOn(options: AnswerFilterOptions): boolean {
    const begun = this.#begun
    if (begun === undefined || begun.headers['content-encoding'] !== undefined || !this.#server.isBetweenEvents) return false
    const filter = new AnswerFilter(new StartedReply(this.reply), options)
    filter.start(begun.status, begun.headers)
    this.#filter = filter
    return true
  }

  override start(status: number, headers: ReplyHeaders): void {
    this.#begun = { status, headers: { ...headers } }
    super.start(status, headers)
  }

  override write(chunk: Uint8Array, release?: () => void): boolean {
    return (this.#filter ?? this.reply).write(chunk, release)
  }

  override end(): void {
    ;(this.#filter ?? this.reply).end()
  }

  override fail(error: ProxyError): void {
    ;(this.#filter ?? this.reply).fail(error)
  }
}

/** A reply whose status and headers have been sent. */
class StartedReply extends PassingReply {
  override start(): void {}
}
