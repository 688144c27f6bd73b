import { ProxyError } from '../../../core/errors.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import { PassingReply } from '../../../core/passing-reply.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'

const RETRY_AFTER_SECONDS = 5

/**
 * A reply that accounts for what its client has not read. Processes write whole responses, and can't be made to wait for each client. So a
 * response for which there is no memory is refused, or cut off if it has begun.
 */
export class HeldReply extends PassingReply {
  readonly #share: MemoryShare
  /** Kept until the first chunk, so that a response in one piece can still be refused. */
  #head: readonly [number, ReplyHeaders] | undefined
  #unread = 0
  #isWatching = false
  #isDone = false

  constructor(reply: Reply, share: MemoryShare) {
    super(reply)
    this.#share = share
  }

  override start(status: number, headers: ReplyHeaders): void {
    this.#head = [status, headers]
    if (headers['content-length'] === undefined) this.#sendHead()
  }

  override write(chunk: Uint8Array): boolean {
    if (!this.#share.take(chunk.length)) {
      this.fail(
        new ProxyError('upstream_busy', {
          reason: 'memory_full',
          cause: 'answers that are not read take all memory',
          retryAfter: RETRY_AFTER_SECONDS,
        }),
      )
      return false
    }
    this.#unread += chunk.length
    this.#sendHead()
    if (this.reply.write(chunk)) this.#release()
    else this.#watch()
    return this.#unread === 0
  }

  override end(): void {
    this.#sendHead()
    this.reply.end()
  }

  override fail(error: ProxyError): void {
    this.#head = undefined
    this.reply.fail(error)
  }

  #sendHead(): void {
    if (this.#head === undefined) return
    const [status, headers] = this.#head
    this.#head = undefined
    this.reply.start(status, headers)
  }

  #watch(): void {
    if (this.#isDone) return this.#release()
    if (this.#isWatching) return
    this.#isWatching = true
    this.reply.onDrain(() => this.#release())
    this.reply.onDone(() => {
      this.#isDone = true
      this.#release()
    })
  }

  #release(): void {
    this.#share.give(this.#unread)
    this.#unread = 0
  }
}
