import type { IncomingMessage } from 'node:http'
import type { EndpointHandler, EndpointRequest } from '../../core/endpoint-request.ts'
import { findErrorEntry, type ProxyError } from '../../core/errors.ts'
import { explainOutage } from '../pages/sign-in-errors.ts'
import { type Branded, sendSignInError } from '../sign-in/sign-in-result.ts'
import { findOutage } from '../storage/outage.ts'
import { formatCors } from './endpoint-methods.ts'
import type { Middleware } from './middlewares.ts'

/** What a client gets that asked for JSON (RFC 6749 §5.2 has no error for it; that of §4.1.2.1 says what it is). */
function describeOutage({ code }: ProxyError): { error: string; error_description: string } {
  return { error: 'temporarily_unavailable', error_description: findErrorEntry(code).message.toLowerCase() }
}

/** Answers a failure that happens before the provider is called. */
export function answeringOutages(handle: EndpointHandler, branded: Branded): EndpointHandler {
  return async (incoming) => {
    try {
      await handle(incoming)
    } catch (error) {
      const outage = findOutage(error)
      if (incoming.response.headersSent || outage === undefined) throw error
      answerOutage(incoming, outage, branded)
    }
  }
}

function answerOutage(incoming: EndpointRequest, outage: ProxyError, branded: Branded): void {
  incoming.response.setHeader('retry-after', String(outage.retryAfter))
  const signInError = explainOutage(outage)
  if (incoming.request.headers.accept?.includes('text/html')) return sendSignInError(incoming, signInError, outage.cause, branded)
  incoming.note(outage.code, outage.cause)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', ...formatCors(incoming.path) }
  incoming.response.writeHead(signInError.status, headers).end(JSON.stringify(describeOutage(outage)))
}

export interface OutageNotes {
  /** Outages that the provider has told of, by request. */
  readonly told: WeakMap<IncomingMessage, ProxyError>
  /** Those that it left without an answer. */
  readonly unanswered: WeakMap<IncomingMessage, ProxyError>
}

/** The provider reports unknown errors as bugs of its own or of the client, so that clients would not try again. */
export function sayOutages({ told, unanswered }: OutageNotes): Middleware {
  return async (ctx, next) => {
    const escaped = await findEscaped(next)
    const outage = escaped ?? told.get(ctx.req)
    if (outage === undefined || (escaped === undefined && ctx.status < 400)) return
    keepCookies(ctx, escaped !== undefined)
    ctx.status = explainOutage(outage).status
    ctx.set('Retry-After', String(outage.retryAfter))
    if (typeof ctx.body === 'object' && ctx.body !== null && 'error' in ctx.body) ctx.body = describeOutage(outage)
    if (escaped === undefined) return
    unanswered.set(ctx.req, escaped)
    ctx.respond = false
  }
}

/** The outage that the provider did not catch: what it keeps of a browser is written last, around all else. */
async function findEscaped(next: () => Promise<unknown>): Promise<ProxyError | undefined> {
  try {
    await next()
    return undefined
  } catch (error) {
    const outage = findOutage(error)
    if (outage === undefined) throw error
    return outage
  }
}

/**
 * What was not answered can be asked again: no cookie ends that it needs, and none is set for what may not have been kept.
 *
 * @param isUnkept - whether it was not kept what the browser is known by
 */
function keepCookies(ctx: Parameters<Middleware>[0], isUnkept: boolean): void {
  const set = [ctx.response.get('set-cookie') as string | string[] | undefined].flat().filter((cookie) => cookie !== undefined)
  const kept = isUnkept ? [] : set.filter((cookie) => cookie !== '' && !cookie.includes('expires=Thu, 01 Jan 1970'))
  ctx.remove('Set-Cookie')
  if (kept.length > 0) ctx.set('Set-Cookie', kept)
}
