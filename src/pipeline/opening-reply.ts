import type { CancelTimer, Clock } from '../core/clock.ts'
import type { ChangingList } from '../core/declared-capabilities.ts'
import type { ProxyError } from '../core/errors.ts'
import { UNACCOUNTED } from '../core/held-memory.ts'
import { PassingReply } from '../core/passing-reply.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import { createDeclarationReader, findDeclaredLists, type ListsReader } from '../mcp/changing-lists.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'
import { HeldBytes } from '../mcp/list-filter/held-bytes.ts'

/** What is longer passes unread. */
const MAX_HELD_BYTES = 64 * 1024
/** Clients, and proxies before us, wait longer than this for the headers of an answer. */
const MAX_HELD_MS = 15_000

interface Held {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly bytes: HeldBytes
  /** Undefined for JSON, which is read when it is complete. */
  readonly stream: ListsReader | undefined
}

/**
 * The answer that opens an MCP session. Its headers have the session's id, which tells later requests what the server declares in the body:
 * so they are held until that is known, for a short time at most. The bytes stay the same.
 */
export class OpeningReply extends PassingReply {
  readonly #clock: Clock
  readonly #onDeclared: (lists: readonly ChangingList[]) => void
  #held: Held | undefined
  #stopWaiting: CancelTimer | undefined

  /** @param onDeclared - called before the answer begins, if what the server declares is known by then */
  constructor(reply: Reply, clock: Clock, onDeclared: (lists: readonly ChangingList[]) => void) {
    super(reply)
    this.#clock = clock
    this.#onDeclared = onDeclared
    reply.onClose(() => this.#letGo())
  }

  override start(status: number, headers: ReplyHeaders): void {
    if (!declaresInBody(status, headers)) return super.start(status, headers)
    const stream = isEventStream(headers) ? createDeclarationReader() : undefined
    this.#held = { status, headers, bytes: new HeldBytes({ memory: UNACCOUNTED }), stream }
    this.#stopWaiting = this.#clock.after(MAX_HELD_MS, () => void this.#pass())
  }

  override write(chunk: Uint8Array): boolean {
    const held = this.#held
    if (held === undefined) return super.write(chunk)
    if (held.bytes.length + chunk.length > MAX_HELD_BYTES) {
      this.#pass()
      return super.write(chunk)
    }
    held.bytes.add(chunk)
    held.stream?.read(chunk)
    return held.stream?.found === undefined || this.#pass()
  }

  override end(): void {
    this.#pass()
    super.end()
  }

  override fail(error: ProxyError): void {
    this.#letGo()
    super.fail(error)
  }

  /** @returns false when the client is slower than the upstream */
  #pass(): boolean {
    const held = this.#letGo()
    if (held === undefined) return true
    const bytes = held.bytes.take()
    const lists = held.stream === undefined ? findDeclaredLists(bytes.toString()) : held.stream.found
    if (lists !== undefined) this.#onDeclared(lists)
    super.start(held.status, held.headers)
    return bytes.length === 0 || super.write(bytes)
  }

  #letGo(): Held | undefined {
    const held = this.#held
    this.#held = undefined
    this.#stopWaiting?.()
    return held
  }
}

/** What is encoded cannot be read, and without a session nothing has to be known of it. */
function declaresInBody(status: number, headers: ReplyHeaders): boolean {
  const hasSession = typeof headers['mcp-session-id'] === 'string'
  return status === 200 && hasSession && headers['content-encoding'] === undefined
}
