import { createHash, randomBytes } from 'node:crypto'
import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'
import type { Reply } from '../../../core/reply.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import { findAcceptedForms, findHeader } from '../wire/accept-header.ts'
import { type ClientMessage, readClientMessages, readParam } from '../wire/client-messages.ts'
import type { MemoryShare } from '../wire/held-memory.ts'
import { formatError, sendJson, sendStatus } from '../wire/json-responses.ts'
import { formatUnsupported } from '../wire/modern-envelope.ts'
import { StreamableSession } from './streamable-session.ts'

/** Sessions at a time, for one user and client, and for all: those that share a process are bounded by nothing else. */
const mostSessionsOfOne = 1000
const mostSessions = 20_000
const retryAfterSeconds = 30

/** Gives a new session its server. */
export type StartConnection = (principalKey: string, events: ServerEvents) => Promise<ServerConnection>

export interface LegacyHttpOptions {
  readonly startConnection: StartConnection
  /** Whether sessions share a process, so that nothing is lost when one ends. */
  readonly isShared: boolean
  /** For what is kept for a principal. */
  readonly openMemory: (principalKey: string) => MemoryShare
  /** Revisions from 2026-07-28 on that the server speaks; undefined where it speaks none. */
  readonly findRevisions: (principalKey: string) => Promise<readonly string[] | undefined>
}

/** Streamable HTTP as it was before 2026-07-28: MCP sessions that begin with `initialize`. */
export class LegacyHttp {
  readonly #startConnection: StartConnection
  readonly #openMemory: (principalKey: string) => MemoryShare
  readonly #sessions = new Map<string, StreamableSession>()
  /** Sessions of each principal. */
  readonly #counts = new Map<string, number>()
  /** Sessions whose client gave up before it was told their id, by what it asked for. */
  readonly #abandoned = new Map<string, StreamableSession>()
  readonly #isShared: boolean
  readonly #findRevisions: LegacyHttpOptions['findRevisions']
  /** The revisions of the server, where none of ours is among them. */
  #modernRevisions: readonly string[] | undefined

  constructor({ startConnection, isShared, openMemory, findRevisions }: LegacyHttpOptions) {
    this.#startConnection = startConnection
    this.#isShared = isShared
    this.#openMemory = openMemory
    this.#findRevisions = findRevisions
  }

  get size(): number {
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
    const session = this.#find(call, reply)
    session?.post(call, reply, messages)
  }

  /** Ends sessions that nobody has used for a while. */
  sweep(idleMilliseconds: number): void {
    const now = performance.now()
    for (const session of this.#sessions.values()) if (session.idle(now) > idleMilliseconds) session.end()
  }

  /** Sessions in which nothing runs, with their processes. */
  spares(): Spare[] {
    if (this.#isShared) return []
    const now = performance.now()
    return [...this.#sessions.values()].flatMap((session) => session.findSpare(now) ?? [])
  }

  keepAlive(): void {
    for (const session of this.#sessions.values()) session.keepAlive()
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end()
  }

  async #open(call: Call, reply: Reply, messages: readonly ClientMessage[], initialize: ClientMessage): Promise<void> {
    // "The initialize request MUST NOT be part of a JSON-RPC batch" (2025-03-26, basic/lifecycle).
    if (messages.length > 1) throw new ProxyError('message_invalid', { cause: 'initialize is part of a batch' })
    const principalKey = formatPrincipalKey(call.principal)
    const startKey = formatStartKey(principalKey, initialize)
    const onGone = (session: StreamableSession) => () => this.#abandon(startKey, session)
    const abandoned = this.#takeAbandoned(startKey)
    if (abandoned) return abandoned.attend(call, reply, initialize, onGone(abandoned))
    this.#checkRoom(principalKey)
    let isGone = false
    reply.onClose(() => {
      isGone = true
    })
    const session = await this.#start(principalKey, initialize)
    if (isGone) this.#abandon(startKey, session)
    else session.attend(call, reply, initialize, onGone(session))
  }

  async #start(principalKey: string, initialize: ClientMessage): Promise<StreamableSession> {
    const id = randomBytes(24).toString('base64url')
    const session: StreamableSession = new StreamableSession(id, principalKey, this.#openMemory(principalKey), () =>
      this.#forget(id, principalKey),
    )
    const connection = await this.#startConnection(principalKey, session)
    if (session.isOver) throw new ProxyError('upstream_ended', { retryAfter: 1 })
    this.#modernRevisions = undefined
    this.#sessions.set(id, session)
    this.#counts.set(principalKey, (this.#counts.get(principalKey) ?? 0) + 1)
    session.connect(connection, initialize, async () => {
      this.#modernRevisions = await this.#findRevisions(principalKey)
      return this.#modernRevisions
    })
    return session
  }

  /** The next client of the principal that asks for the same gets the session; where there is a process for all, the next one has it. */
  #abandon(startKey: string, session: StreamableSession): void {
    const other = this.#abandoned.get(startKey)
    if (this.#isShared || session.isRefused || (other && !other.isOver)) return session.end()
    if (!session.isOver) this.#abandoned.set(startKey, session)
  }

  #takeAbandoned(startKey: string): StreamableSession | undefined {
    const session = this.#abandoned.get(startKey)
    this.#abandoned.delete(startKey)
    return session?.isOver === false ? session : undefined
  }

  #checkRoom(principalKey: string): void {
    if (this.#sessions.size < mostSessions && (this.#counts.get(principalKey) ?? 0) < mostSessionsOfOne) return
    throw new ProxyError('upstream_busy', { cause: 'too many MCP sessions are open', retryAfter: retryAfterSeconds })
  }

  #forget(id: string, principalKey: string): void {
    const session = this.#sessions.get(id)
    if (!this.#sessions.delete(id)) return
    for (const [key, abandoned] of this.#abandoned) if (abandoned === session) this.#abandoned.delete(key)
    const left = (this.#counts.get(principalKey) ?? 0) - 1
    if (left > 0) this.#counts.set(principalKey, left)
    else this.#counts.delete(principalKey)
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

  #formatSessionless(call: Call, id: string | undefined): string {
    if (this.#modernRevisions === undefined)
      return formatError(id, -32600, 'The Mcp-Session-Id header is required: begin with initialize')
    if (findHeader(call, 'mcp-protocol-version') === undefined) return formatHeaderMissing(id, this.#modernRevisions)
    return formatUnsupported(id, call.revision, this.#modernRevisions)
  }

  /**
   * The session of a call. One without a session id gets 400, one whose session is over or not theirs 404: then the client begins anew
   * (2025-11-25, basic/transports, Session Management).
   */
  #find(call: Call, reply: Reply): StreamableSession | undefined {
    const { mcpSessionId } = call
    if (mcpSessionId === undefined) {
      const [id] = call.operations.flatMap((operation) => operation.id ?? [])
      sendJson(reply, 400, this.#formatSessionless(call, id))
      return undefined
    }
    const session = this.#sessions.get(mcpSessionId)
    if (session?.principalKey !== formatPrincipalKey(call.principal))
      throw new ProxyError('mcp_session_unknown', { cause: 'no such session of a stdio server' })
    return session
  }
}

/** "A server that does not support such clients MUST reject a request without the header" (2026-07-28, Protocol Version Header). */
function formatHeaderMissing(id: string | undefined, supported: readonly string[]): string {
  const message = `Header mismatch: MCP-Protocol-Version is missing, and this server speaks ${supported.join(', ')}`
  return formatError(id, -32020, message, { supported })
}

/** The same for clients that a server is told the same of. */
function formatStartKey(principalKey: string, initialize: ClientMessage): string {
  const told = ['protocolVersion', 'capabilities', 'clientInfo'].map((name) => readParam(initialize, name))
  return createHash('sha256')
    .update(JSON.stringify([principalKey, told]))
    .digest('base64url')
}
