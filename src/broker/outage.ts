import type { IncomingMessage } from 'node:http'
import { findErrorEntry, ProxyError } from '../core/errors.ts'
import type { Visit, VisitHandler } from '../core/visit.ts'
import type { Middleware } from './middlewares.ts'
import { sendTrouble } from './outcome.ts'
import { TROUBLES } from './troubles.ts'

/** Whether it is the store that failed, which passes. */
export function isOutage(error: unknown): error is ProxyError {
  return error instanceof ProxyError && error.code === 'store_unavailable'
}

/** What a client gets that asked for JSON (RFC 6749 §5.2 has no error for it; that of §4.1.2.1 says what it is). */
function describeOutage(): { error: string; error_description: string } {
  const { message } = findErrorEntry('store_unavailable')
  return { error: 'temporarily_unavailable', error_description: message.toLowerCase() }
}

/** Answers where the store failed before the provider was so much as asked. */
export function answeringOutages(handle: VisitHandler): VisitHandler {
  return async (visit) => {
    try {
      await handle(visit)
    } catch (error) {
      if (visit.response.headersSent || !isOutage(error)) throw error
      answerOutage(visit, error)
    }
  }
}

function answerOutage(visit: Visit, outage: ProxyError): void {
  visit.response.setHeader('retry-after', String(outage.retryAfter))
  if (visit.request.headers.accept?.includes('text/html')) return sendTrouble(visit, TROUBLES.store, outage.cause)
  visit.note(outage.code, outage.cause)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'access-control-allow-origin': '*' }
  visit.response.writeHead(TROUBLES.store.status, headers).end(JSON.stringify(describeOutage()))
}

/** The provider takes every failure that it does not know for a mistake in itself: 500, and nobody would try again. */
export function sayOutages(outages: WeakMap<IncomingMessage, ProxyError>): Middleware {
  return async (ctx, next) => {
    await next()
    const outage = outages.get(ctx.req)
    if (outage === undefined || ctx.status !== 500) return
    ctx.status = TROUBLES.store.status
    ctx.set('Retry-After', String(outage.retryAfter))
    if (typeof ctx.body === 'object' && ctx.body !== null && 'error' in ctx.body) ctx.body = describeOutage()
  }
}
