import { createHash, randomBytes } from 'node:crypto'
import type { Call } from '../../../core/call.ts'
import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import type { Reply } from '../../../core/reply.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import { findOwner, formatOwnerKey, type ProcessOwner } from '../process/process-owner.ts'
import { findAcceptedForms, findHeader } from '../wire/accept-header.ts'
import { type ClientMessage, readClientMessages, readParam } from '../wire/client-messages.ts'
import { formatError, sendJson, sendStatus } from '../wire/json-responses.ts'
import { formatUnsupported } from '../wire/modern-envelope.ts'
import { Sessions } from './sessions.ts'
import { StreamableSession } from './streamable-session.ts'

/** Nothing else bounds sessions that share a process. */
const MAX_SESSIONS_OF_PRINCIPAL = 1000
const MAX_SESSIONS = 20_000
const RETRY_AFTER_SECONDS = 30

/** Connects a new session to a server. */
export type StartConnection = (owner: ProcessOwner, events: ServerEvents) => Promise<ServerConnection>

export interface LegacyHttpOptions {
  readonly clock: Clock
  readonly startConnection: StartConnection
  /** Whether sessions share a process, so that nothing is lost when one ends. */
  readonly isShared: boolean
  /** Opens the account for what is kept for a principal. */
  readonly openMemory: (principalKey: string) => MemoryShare
  /** The revisions from 2026-07-28 on that the server speaks; undefined where it speaks none. */
  readonly findRevisions: (owner: ProcessOwner) => Promise<readonly string[] | undefined>
}

/** Streamable HTTP before 2026-07-28: MCP sessions that begin with `initialize`. */
export class LegacyHttp {
  readonly #options: LegacyHttpOptions
  readonly #sessions = new Sessions<StreamableSession>()
  /** Sessions whose client gave up before it learned their id, by what it asked for. */
  readonly #abandoned = new Map<string, StreamableSession>()
  /** The server's revisions, where it speaks none of ours. */
  #modernRevisions: readonly string[] | undefined

  constructor(options: LegacyHttpOptions) {
    this.#options = options
  }

  /** How many are open. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** @throws ProxyError */
  async handle(call: Call, reply: Reply): Promise<void> {
    if (this.#modernRevisions && call.mcpSessionId === undefined && call.method !== 'POST')
      return sendStatus(reply, 405, { allow: 'POST' })
    if (call.method === 'GET') return this.#get(call, reply)
    if (call.method === 'DELETE') return this.#delete(call, reply)
    const messages = readClientMessages(call)
    const initialize = messages.find(({ method, kind }) => method === 'initialize' && kind === 'request')
    if (initialize && call.mcpSessionId === undefined) return this.#open(call, reply, messages, initialize)
    this.#find(call, reply)?.post(call, reply, messages)
  }

  /** Ends sessions that have not been used for a while. */
  sweep(idleMs: number): void {
    const now = this.#options.clock.monotonic()
    for (const session of this.#sessions.list()) if (session.idle(now) > idleMs) session.end()
  }

  /** Sessions that may end, with their processes, so that others can start. */
  spares(): Spare[] {
    return this.#options.isShared ? [] : this.#sessions.spares(this.#options.clock.monotonic())
  }

  keepAlive(): void {
    this.#sessions.keepAlive()
  }

  close(): void {
    this.#sessions.close()
  }

  async #open(call: Call, reply: Reply, messages: readonly ClientMessage[], initialize: ClientMessage): Promise<void> {
    // "The initialize request MUST NOT be part of a JSON-RPC batch" (2025-03-26, basic/lifecycle).
    if (messages.length > 1)
      throw new ProxyError('message_invalid', { reason: 'batch_not_allowed', cause: 'initialize is part of a batch' })
    const owner = findOwner(call)
    const startKey = formatStartKey(owner, initialize)
    const onGone = (session: StreamableSession) => () => this.#abandon(startKey, session)
    const abandoned = this.#takeAbandoned(startKey)
    if (abandoned) return abandoned.attend(call, reply, initialize, onGone(abandoned))
    this.#checkRoom(owner.key)
    let isGone = false
    reply.onClose(() => {
      isGone = true
    })
    const session = await this.#start(owner, initialize)
    if (isGone) this.#abandon(startKey, session)
    else session.attend(call, reply, initialize, onGone(session))
  }

  async #start(owner: ProcessOwner, initialize: ClientMessage): Promise<StreamableSession> {
    const { clock, openMemory, startConnection, findRevisions } = this.#options
    const id = randomBytes(24).toString('base64url')
    const onOver = (): void => this.#forget(id)
    const session = new StreamableSession({ id, owner, memory: openMemory(owner.key), clock, onOver })
    const connection = await startConnection(owner, session)
    if (session.isOver) throw new ProxyError('upstream_ended', { retryAfter: 1 })
    this.#modernRevisions = undefined
    this.#sessions.add(id, session)
    session.connect(connection, initialize, async () => {
      this.#modernRevisions = await findRevisions(owner)
      return this.#modernRevisions
    })
    return session
  }

  /** Keeps a session for the next client of the principal that asks for the same. One that shares a process costs too little for that. */
  #abandon(startKey: string, session: StreamableSession): void {
    const other = this.#abandoned.get(startKey)
    if (this.#options.isShared || session.isRefused || (other && !other.isOver)) return session.end()
    if (!session.isOver) this.#abandoned.set(startKey, session)
  }

  #takeAbandoned(startKey: string): StreamableSession | undefined {
    const session = this.#abandoned.get(startKey)
    this.#abandoned.delete(startKey)
    return session?.isOver === false ? session : undefined
  }

  #checkRoom(principalKey: string): void {
    if (this.#sessions.size < MAX_SESSIONS && this.#sessions.countOf(principalKey) < MAX_SESSIONS_OF_PRINCIPAL) return
    throw new ProxyError('upstream_busy', {
      reason: 'sessions_limit',
      cause: 'too many MCP sessions are open',
      retryAfter: RETRY_AFTER_SECONDS,
    })
  }

  #forget(id: string): void {
    const session = this.#sessions.delete(id)
    if (!session) return
    for (const [key, abandoned] of this.#abandoned) if (abandoned === session) this.#abandoned.delete(key)
  }

  #get(call: Call, reply: Reply): void {
    if (findAcceptedForms(call) === 'json')
      return sendJson(reply, 406, formatError(undefined, -31406, 'The client must accept text/event-stream'))
    this.#find(call, reply)?.get(reply, findHeader(call, 'last-event-id'))
  }

  #delete(call: Call, reply: Reply): void {
    const session = this.#find(call, reply)
    if (!session) return
    session.end()
    sendStatus(reply, 200)
  }

  /**
   * The session of a call. A call without a session id gets 400. One whose session is over, or another principal's, gets 404, so that its
   * client initializes a new one (2025-11-25, basic/transports, Session Management).
   *
   * @throws ProxyError `mcp_session_unknown`
   */
  #find(call: Call, reply: Reply): StreamableSession | undefined {
    if (call.mcpSessionId === undefined) {
      sendJson(reply, 400, this.#formatMissingSession(call))
      return undefined
    }
    return this.#sessions.find(call.mcpSessionId, findOwner(call), 'no such session of a stdio server')
  }

  #formatMissingSession(call: Call): string {
    const [id] = call.operations.flatMap((operation) => operation.id ?? [])
    if (this.#modernRevisions === undefined)
      return formatError(id, -32600, 'The Mcp-Session-Id header is required: begin with initialize')
    if (findHeader(call, 'mcp-protocol-version') === undefined) return formatMissingVersion(id, this.#modernRevisions)
    return formatUnsupported(id, call.revision, this.#modernRevisions)
  }
}

/** "A server that does not support such clients MUST reject a request without the header" (2026-07-28, Protocol Version Header). */
function formatMissingVersion(id: string | undefined, supported: readonly string[]): string {
  const message = `Header mismatch: MCP-Protocol-Version is missing, and this server speaks ${supported.join(', ')}`
  return formatError(id, -32020, message, { supported })
}

/** The same for clients that look the same to a server. */
function formatStartKey(owner: ProcessOwner, initialize: ClientMessage): string {
  const told = ['protocolVersion', 'capabilities', 'clientInfo'].map((name) => readParam(initialize, name))
  return createHash('sha256')
    .update(JSON.stringify([formatOwnerKey(owner), told]))
    .digest('base64url')
}
