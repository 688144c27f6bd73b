import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { Route } from '../core/route.ts'
import { decodeBody, isFormBody } from '../http/body.ts'
import type { RequestHead } from '../http/request-head.ts'
import { findRevision, isPreAuthorizationRevision } from '../mcp/revision.ts'
import { findAccessToken } from '../oauth/bearer.ts'
import type { Exchange } from './exchange.ts'
import { confineLinkedToken } from './linked-token.ts'
import { loadBody } from './load-body.ts'

/** Who calls, and the token that shows it. */
export interface Identity {
  readonly principal: Principal
  readonly token: string
  /** The form body that was read for the token; undefined unless bodies may hold it. */
  readonly form: string | undefined
}

/**
 * Finds and verifies the access token, before anything of the body is read (except where the body is configured to hold it).
 *
 * @throws ProxyError `token_*`, `issuer_unavailable`, `legacy_client_rejected`
 */
export function authenticate(exchange: Exchange, head: RequestHead, route: Route): Identity | Promise<Identity> {
  checkLegacy(head, route)
  return recallIdentity(head, route) ?? verifyIdentity(exchange, head, route)
}

/** @throws ProxyError `legacy_client_rejected` */
export function checkLegacy(head: RequestHead, route: Route): void {
  if (route.legacyClients === 'reject' && isLegacy(head, route)) throw new ProxyError('legacy_client_rejected')
}

const SCHEME = 'Bearer '

/**
 * The caller that sent the same token before, in the only place where this request may have one. Reading a token letter by letter costs more than
 * everything else that is done to a token that is known.
 */
function recallIdentity(head: RequestHead, route: Route): Identity | undefined {
  const [value, ...more] = head.authorization
  if (!value?.startsWith(SCHEME) || more.length > 0 || head.query !== undefined || mayHoldForm(head, route)) return undefined
  const token = value.slice(SCHEME.length)
  const principal = route.verifier.recall?.(token)
  return principal && { principal, token, form: undefined }
}

async function verifyIdentity(exchange: Exchange, head: RequestHead, route: Route): Promise<Identity> {
  const form = mayHoldForm(head, route) ? await loadForm(exchange, head) : undefined
  const token = findAccessToken({ authorization: head.authorization, query: head.query, form }, route.resource.bearerMethods)
  confineLinkedToken(exchange, head.query, form)
  if (token === undefined) throw new ProxyError('token_missing')
  return { principal: await route.verifier.verify(token, exchange.record.clientAddress), token, form }
}

/** Whether the client speaks a revision from before the authorization chapter (the Go proxy's "v1"). */
function isLegacy(head: RequestHead, route: Route): boolean {
  return isPreAuthorizationRevision(findRevision(head.protocolVersion, route.kind !== 'streamable_http'))
}

/** A body is read before authentication only where the configuration permits tokens in it: a form, within the usual limits. */
async function loadForm(exchange: Exchange, head: RequestHead): Promise<string> {
  return decodeBody(await loadBody(exchange, head))
}

function mayHoldForm(head: RequestHead, route: Route): boolean {
  return route.resource.bearerMethods.includes('body') && head.method === 'POST' && isFormBody(head)
}

/**
 * Without an audience a token might be meant for any service. Only `legacy_clients: signature_only` accepts it, and only on the endpoints
 * of HTTP+SSE: a revision that a client claims in a header never removes a check. This is the one decision on it; `authorize` relies on it.
 *
 * @throws ProxyError `token_audience_mismatch`
 */
export function checkAssurance({ assurance }: Principal, head: RequestHead, route: Route): void {
  if (assurance === 'audience') return
  if (route.legacyClients === 'signature_only' && route.kind !== 'streamable_http' && isLegacy(head, route)) return
  throw new ProxyError('token_audience_mismatch', { reason: 'audience_missing', cause: 'the token names no audience' })
}
