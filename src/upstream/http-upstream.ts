import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { getCACertificates } from 'node:tls'
import { buildConnector, type Dispatcher, errors, Pool } from 'undici'
import type { Call } from '../core/call.ts'
import { ProxyError } from '../core/errors.ts'
import type { HttpUpstreamPlan } from '../core/plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply } from '../core/reply.ts'
import { type Waiting, watchIdle } from '../http/idle-watch.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'
import { filterResponseHeaders } from './response-headers.ts'
import { createTargetFormat } from './target.ts'

/** Bytes of a response's header section. */
const maxResponseHeaderBytes = 64 * 1024
/** Below the five seconds after which common servers close an idle connection: a request must not meet a closing one. */
const keepAliveMilliseconds = 4000
/** Interim responses (1xx) to one request. They tell nothing to MCP, and each restarts the wait for the real one. */
const maxInterims = 16
/** Bytes of a request body that are held for as long as the answer takes. */
const maxHeldBytes = 64 * 1024
/** Seconds after which asking again makes sense. */
const retryAfterSeconds = 2

/**
 * Forwards calls to an MCP server over HTTP. Bodies pass unchanged and at once, with back-pressure both ways; redirects are passed on,
 * never followed; nothing is sent twice.
 *
 * @param plan - where and how
 */
export function createHttpUpstream(plan: HttpUpstreamPlan): Upstream {
  const url = new URL(plan.url)
  const pool = createPool(url, plan)
  const own = Object.entries(plan.headers)
  const ownNames = new Set(own.map(([name]) => name))
  const formatTarget = createTargetFormat(url.pathname, url.search.slice(1))

  return {
    send(call, reply) {
      const handler = new ResponseHandler(reply, call.route.forwardAccessToken, plan.responseSeconds)
      try {
        pool.dispatch(formatRequest(call, call.upstreamTarget ?? formatTarget(call.query), own, ownNames), handler)
      } catch (error) {
        reply.fail(new ProxyError('internal_error', { cause: error }))
      }
    },
    close: (deadline) => closePool(pool, deadline),
  }
}

function createPool(url: URL, plan: HttpUpstreamPlan): Pool {
  return new Pool(url.origin, {
    pipelining: 1,
    allowH2: false,
    headersTimeout: plan.responseSeconds * 1000,
    // A stream may be silent for as long as it likes; what isn't one is watched by its response handler.
    bodyTimeout: 0,
    maxHeaderSize: maxResponseHeaderBytes,
    keepAliveTimeout: keepAliveMilliseconds,
    connect: createConnector(plan),
  })
}

function createConnector(plan: HttpUpstreamPlan): buildConnector.connector {
  const connect = buildConnector({
    timeout: plan.connectSeconds * 1000,
    allowH2: false,
    // Said aloud, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise switch it off.
    rejectUnauthorized: true,
    ...(plan.ca === undefined ? {} : { ca: [...getCACertificates('default'), plan.ca] }),
  })
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error) return callback(error, null)
      socket?.on('error', renameReset)
      callback(null, socket as Socket)
    })
}

/** undici takes a reset for the end of a body that ends with the connection. Under another name it is what it is: no end. */
function renameReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'UPSTREAM_RESET'
}

async function closePool(pool: Pool, deadline: number): Promise<void> {
  const timer = setTimeout(() => void pool.destroy(), deadline)
  await pool.close()
  clearTimeout(timer)
}

function formatRequest(call: Call, path: string, own: OwnHeaders, ownNames: ReadonlySet<string>): Dispatcher.DispatchOptions {
  const { method, body = null } = call
  const headers = addOwnHeaders(call, own, ownNames)
  if (body === null || body.length <= maxHeldBytes) return { path, method, headers, body }
  return { path, method, headers: [...headers, 'content-length', String(body.length)], body: sendAndLetGo(body) }
}

/** undici holds what it is given until the answer is over, which a stream may never be. From an iterator it takes, and holds nothing. */
function sendAndLetGo(body: Buffer): Readable {
  const pieces = [body]
  const next = (): IteratorResult<Buffer> => {
    const value = pieces.pop()
    return value === undefined ? { done: true, value } : { done: false, value }
  }
  // Its documentation permits iterables, its types don't.
  return { [Symbol.iterator]: () => ({ next }) } as unknown as Readable
}

type OwnHeaders = readonly (readonly [string, string])[]

/** What we send ourselves replaces whatever the client sent under the same name. */
function addOwnHeaders(call: Call, own: OwnHeaders, ownNames: ReadonlySet<string>): string[] {
  if (own.length === 0) return call.headers as string[]
  const kept = call.headers.filter((_, index) => !ownNames.has(call.headers[index - (index % 2)] ?? ''))
  for (const [name, value] of own) kept.push(name, value)
  return kept
}

/** Passes one response on. A class, since thousands of streams may be held by one of these each. */
class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #reply: Reply
  readonly #forwardsToken: boolean
  readonly #responseSeconds: number
  #isOver = false
  #isPaused = false
  #drains = false
  #interims = 0
  #waiting: Waiting | undefined

  constructor(reply: Reply, forwardsToken: boolean, responseSeconds: number) {
    this.#reply = reply
    this.#forwardsToken = forwardsToken
    this.#responseSeconds = responseSeconds
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#reply.onClose(() => {
      this.#waiting?.stop()
      if (!this.#isOver) controller.abort(new ProxyError('client_gone'))
    })
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200) this.#begin(controller, status, headers)
    else if (++this.#interims > maxInterims) this.#giveUp(controller, invalid(`more than ${maxInterims} interim responses`))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#waiting?.touch()
    if (!this.#reply.write(chunk)) this.#pause(controller)
  }

  onResponseEnd(): void {
    this.#settle()
    this.#reply.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle()
    this.#reply.fail(error instanceof ProxyError ? error : describeFailure(error))
  }

  #begin(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status === 401) return this.#giveUp(controller, refusedCredential(this.#forwardsToken))
    const kept = filterResponseHeaders(headers)
    if (status === 204) delete kept['content-length']
    if (!isEventStream(kept)) this.#watch(controller)
    this.#reply.start(status, kept)
  }

  /** Time that the client takes is not the upstream's. */
  #watch(controller: Dispatcher.DispatchController): void {
    this.#waiting = watchIdle(this.#responseSeconds, () =>
      this.#isPaused ? this.#watch(controller) : this.#giveUp(controller, timeout('the body stopped')),
    )
  }

  #pause(controller: Dispatcher.DispatchController): void {
    controller.pause()
    this.#isPaused = true
    if (this.#drains) return
    this.#drains = true
    this.#reply.onDrain(() => {
      this.#isPaused = false
      controller.resume()
    })
  }

  #giveUp(controller: Dispatcher.DispatchController, error: ProxyError): void {
    this.#settle()
    this.#reply.fail(error)
    controller.abort(error)
  }

  #settle(): void {
    this.#isOver = true
    this.#waiting?.stop()
  }
}

/**
 * An upstream that got the caller's token may refuse it, and then the caller has to get another. One that got our credential, or none,
 * is our operator's to mend: the caller can't.
 */
function refusedCredential(forwardsToken: boolean): ProxyError {
  const cause = 'the upstream answered 401'
  return new ProxyError(forwardsToken ? 'token_invalid' : 'upstream_refused_credential', { cause })
}

/** Classifies a failure once: no answer in time, an answer that is no HTTP, or no connection. */
function describeFailure(error: Error): ProxyError {
  if (error instanceof errors.HeadersTimeoutError) return timeout(error)
  const unreadable =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.InvalidArgumentError ||
    (error as NodeJS.ErrnoException).code === 'ERR_INVALID_CHAR'
  if (unreadable) return invalid(error)
  return new ProxyError('upstream_unreachable', { cause: error, retryAfter: retryAfterSeconds })
}

function timeout(cause: unknown): ProxyError {
  return new ProxyError('upstream_timeout', { cause, retryAfter: retryAfterSeconds })
}

function invalid(cause: unknown): ProxyError {
  return new ProxyError('upstream_invalid_response', { cause })
}
