import type { IncomingMessage } from 'node:http'
import { type ErrorCode, findErrorEntry, type ProxyError } from '../../core/errors.ts'
import type { Visit, VisitHandler } from '../../core/visit.ts'
import { type SignInTrouble, TROUBLES } from '../pages/sign-in-errors.ts'
import { sendTrouble } from '../sign-in/sign-in-result.ts'
import { findOutage } from '../storage/outage.ts'
import type { Middleware } from './middlewares.ts'

/** What may be out of reach without the fault of those who ask, and what a person is told then. */
const OUTAGES: ReadonlyMap<ErrorCode, SignInTrouble> = new Map<ErrorCode, SignInTrouble>([
  ['store_unavailable', TROUBLES.store],
  ['client_unavailable', TROUBLES.client],
])

/** What a person is told of an outage. */
export function explainOutage({ code }: ProxyError): SignInTrouble {
  return OUTAGES.get(code) ?? TROUBLES.internal
}

/** What a client gets that asked for JSON (RFC 6749 §5.2 has no error for it; that of §4.1.2.1 says what it is). */
function describeOutage({ code }: ProxyError): { error: string; error_description: string } {
  return { error: 'temporarily_unavailable', error_description: findErrorEntry(code).message.toLowerCase() }
}

/** Answers where something failed before the provider was so much as asked. */
export function answeringOutages(handle: VisitHandler): VisitHandler {
  return async (visit) => {
    try {
      await handle(visit)
    } catch (error) {
      const outage = findOutage(error)
      if (visit.response.headersSent || outage === undefined) throw error
      answerOutage(visit, outage)
    }
  }
}

function answerOutage(visit: Visit, outage: ProxyError): void {
  visit.response.setHeader('retry-after', String(outage.retryAfter))
  const trouble = explainOutage(outage)
  if (visit.request.headers.accept?.includes('text/html')) return sendTrouble(visit, trouble, outage.cause)
  visit.note(outage.code, outage.cause)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'access-control-allow-origin': '*' }
  visit.response.writeHead(trouble.status, headers).end(JSON.stringify(describeOutage(outage)))
}

/** The provider takes failures that it does not know for a mistake in itself, or for one of the client: nobody would try again. */
export function sayOutages(outages: WeakMap<IncomingMessage, ProxyError>): Middleware {
  return async (ctx, next) => {
    await next()
    const outage = outages.get(ctx.req)
    if (outage === undefined || ctx.status < 400) return
    ctx.status = explainOutage(outage).status
    ctx.set('Retry-After', String(outage.retryAfter))
    if (typeof ctx.body === 'object' && ctx.body !== null && 'error' in ctx.body) ctx.body = describeOutage(outage)
  }
}
