import { getCACertificates } from 'node:tls'
import { type Dispatcher, errors, Pool } from 'undici'
import type { Call } from '../core/call.ts'
import { ProxyError } from '../core/errors.ts'
import type { HttpUpstreamPlan } from '../core/plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply } from '../core/reply.ts'
import { filterResponseHeaders } from './response-headers.ts'
import { createTargetFormat } from './target.ts'

/** Bytes of a response's header section. */
const maxResponseHeaderBytes = 64 * 1024
/** Below the five seconds after which common servers close an idle connection: a request must not meet a closing one. */
const keepAliveMilliseconds = 4000
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
      const handler = createResponseHandler(reply, call.route.forwardAccessToken)
      try {
        pool.dispatch(
          {
            path: call.upstreamTarget ?? formatTarget(call.query),
            method: call.method,
            headers: addOwnHeaders(call, own, ownNames),
            body: call.body ?? null,
          },
          handler,
        )
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
    // A stream may be silent for as long as it likes.
    bodyTimeout: 0,
    maxHeaderSize: maxResponseHeaderBytes,
    keepAliveTimeout: keepAliveMilliseconds,
    connect: {
      timeout: plan.connectSeconds * 1000,
      // Said aloud, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise switch it off.
      rejectUnauthorized: true,
      ...(plan.ca === undefined ? {} : { ca: [...getCACertificates('default'), plan.ca] }),
    },
  })
}

async function closePool(pool: Pool, deadline: number): Promise<void> {
  const timer = setTimeout(() => void pool.destroy(), deadline)
  await pool.close()
  clearTimeout(timer)
}

/** What we send ourselves replaces whatever the client sent under the same name. */
function addOwnHeaders(call: Call, own: readonly (readonly [string, string])[], ownNames: ReadonlySet<string>): string[] {
  if (own.length === 0) return call.headers as string[]
  const kept = call.headers.filter((_, index) => !ownNames.has(call.headers[index - (index % 2)] ?? ''))
  for (const [name, value] of own) kept.push(name, value)
  return kept
}

function createResponseHandler(reply: Reply, forwardsToken: boolean): Dispatcher.DispatchHandler {
  let over = false
  let draining = false
  const pause = (controller: Dispatcher.DispatchController): void => {
    controller.pause()
    if (draining) return
    draining = true
    reply.onDrain(() => controller.resume())
  }

  return {
    onRequestStart(controller) {
      reply.onClose(() => {
        if (!over) controller.abort(new ProxyError('client_gone'))
      })
    },
    onResponseStart(controller, status, headers) {
      if (status < 200) return
      if (status === 401) {
        reply.fail(refusedCredential(forwardsToken))
        controller.abort(new ProxyError('upstream_refused_credential'))
        return
      }
      reply.start(status, filterResponseHeaders(headers))
    },
    onResponseData(controller, chunk) {
      if (!reply.write(chunk)) pause(controller)
    },
    onResponseEnd() {
      over = true
      reply.end()
    },
    onResponseError(_controller, error) {
      over = true
      if (!(error instanceof ProxyError)) reply.fail(describeFailure(error))
    },
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
  if (error instanceof errors.HeadersTimeoutError)
    return new ProxyError('upstream_timeout', { cause: error, retryAfter: retryAfterSeconds })
  const unreadable =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.InvalidArgumentError ||
    (error as NodeJS.ErrnoException).code === 'ERR_INVALID_CHAR'
  if (unreadable) return new ProxyError('upstream_invalid_response', { cause: error })
  return new ProxyError('upstream_unreachable', { cause: error, retryAfter: retryAfterSeconds })
}
