import type { Call } from '../../src/core/call.ts'
import type { ProxyError } from '../../src/core/errors.ts'
import type { Reply, ReplyHeaders } from '../../src/core/reply.ts'

export interface FakeReply extends Reply {
  readonly status: number | undefined
  readonly headers: ReplyHeaders
  readonly body: string
  readonly isEnded: boolean
  readonly failure: ProxyError['code'] | undefined
  readonly reports: ProxyError['code'][]
  /** Whether the client reads. */
  isSlow: boolean
  /** The client has read everything. */
  drain(): void
  /** The client goes away. */
  leave(): void
}

export function createFakeReply(): FakeReply {
  const listeners = { drain: [] as (() => void)[], close: [] as (() => void)[], done: [] as (() => void)[] }
  const reply = {
    status: undefined as number | undefined,
    headers: {} as ReplyHeaders,
    body: '',
    isEnded: false,
    failure: undefined as ProxyError['code'] | undefined,
    reports: [] as ProxyError['code'][],
    isSlow: false,
    start(status: number, headers: ReplyHeaders) {
      Object.assign(reply, { status, headers })
    },
    write(chunk: Uint8Array) {
      reply.body += Buffer.from(chunk).toString()
      return !reply.isSlow
    },
    end() {
      reply.isEnded = true
    },
    fail(error: ProxyError) {
      reply.failure = error.code
    },
    report: (error: ProxyError) => void reply.reports.push(error.code),
    onDrain: (listener: () => void) => void listeners.drain.push(listener),
    onClose: (listener: () => void) => void listeners.close.push(listener),
    onDone: (listener: () => void) => void listeners.done.push(listener),
    drain() {
      reply.isSlow = false
      for (const listener of listeners.drain) listener()
    },
    leave() {
      for (const listener of [...listeners.close, ...listeners.done]) listener()
    },
  }
  return reply
}

/** The data of the events in a body, parsed; the empty string for one without content. */
export function readData(body: string): unknown[] {
  return [...body.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => (data === '' ? '' : JSON.parse(data)))
}

/** A permitted call. */
export function createCall(body: object | undefined, more: Partial<Call> & { readonly user?: string } = {}): Call {
  const { user = 'alice', ...rest } = more
  return {
    requestId: 'r',
    route: { kind: 'streamable_http', server: 'files' },
    principal: { issuer: 'https://idp.example.com', subject: user, clientId: 'client', scopes: new Set(), claims: {} },
    method: body === undefined ? 'GET' : 'POST',
    query: undefined,
    operations: [],
    isBatch: Array.isArray(body),
    revision: '2025-11-25',
    mcpSessionId: undefined,
    headers: ['accept', 'application/json, text/event-stream'],
    body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
    upstreamTarget: undefined,
    ...rest,
  } as unknown as Call
}
