import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { Route } from '../core/route.ts'
import { checkOrigin } from '../http/origins.ts'
import type { RequestHead } from '../http/request-head.ts'
import { findAccessToken } from '../oauth/bearer.ts'
import { checkAssurance, checkLegacy, type Identity } from './authenticate.ts'
import type { Edge } from './edge.ts'
import type { Exchange } from './exchange.ts'
import { checkHost } from './hosts.ts'

/** By what a request is decided. */
export interface Standing {
  readonly route: Route
  readonly identity: Identity
}

/**
 * Takes the steps up to authentication again, by what is in force now: between the verification of the token and the decision, or while a
 * stream is open, another configuration may have come into force.
 *
 * @param route - by which the request was served so far
 * @throws ProxyError as the steps themselves
 */
export async function reconsider(exchange: Exchange, head: RequestHead, { route, identity }: Standing): Promise<Standing> {
  for (;;) {
    const { openRequests, current } = exchange.edge
    const { era } = openRequests
    const edge = current()
    const found = findRoute(edge, head.path, route)
    checkHost(edge, head)
    checkOrigin(head.origin, edge.origins)
    checkLegacy(head, found)
    const principal = await verifyAgain(exchange, head, { route: found, identity }, route.verifier === found.verifier)
    checkAssurance(principal, head, found)
    if (openRequests.era !== era) continue
    exchange.edge = edge
    exchange.era = era
    exchange.route = found
    return { route: found, identity: { ...identity, principal } }
  }
}

/** @throws ProxyError `route_not_found`, `upstream_replaced` where the path means something else now */
function findRoute({ endpoints }: Edge, path: string, { kind, server }: Route): Route {
  const endpoint = endpoints.get(path)
  if (endpoint?.kind !== 'guarded') throw new ProxyError('route_not_found')
  const { route } = endpoint
  if (route.kind !== kind || route.server !== server) throw movedElsewhere()
  return route
}

/** Nothing is lost when a stream ends for it: its client comes again. */
export function movedElsewhere(): ProxyError {
  return new ProxyError('upstream_replaced', { cause: 'another configuration came into force', retryAfter: 1 })
}

/** A token that cannot be verified by then counts as one that cannot be verified. */
const VERIFICATION_MS = 4000

/**
 * @param isSame - the verifier is the one that has accepted the token
 * @throws ProxyError `token_*`; `issuer_unavailable` where it is another one: that it would accept the token is not known
 */
async function verifyAgain(exchange: Exchange, head: RequestHead, standing: Standing, isSame: boolean): Promise<Principal> {
  const { route, identity } = standing
  const { authorization, query } = head
  const token = findAccessToken({ authorization, query, form: identity.form }, route.resource.bearerMethods)
  if (token === undefined) throw new ProxyError('token_missing')
  try {
    return await inTime(exchange.edge.clock, async () => route.verifier.verify(token, exchange.record.clientAddress))
  } catch (error) {
    if (!isSame || !(error instanceof ProxyError) || error.code !== 'issuer_unavailable') throw error
    // Nothing stands for an access key but the store, and while that cannot be read the key may have been revoked.
    if (identity.principal.accessKey !== undefined) throw error
    // Its issuer, or what stands for it, cannot be asked; what operators have revoked is known without it.
    route.verifier.recheck?.(identity.principal)
    return identity.principal
  }
}

/** @throws ProxyError `issuer_unavailable` when it is too late */
async function inTime(clock: Clock, verify: () => Promise<Principal>): Promise<Principal> {
  const late = Promise.withResolvers<never>()
  const cause = 'the token could not be verified again in time'
  const refusal = new ProxyError('issuer_unavailable', { reason: 'keys_unavailable', cause, retryAfter: 1 })
  const stop = clock.after(VERIFICATION_MS, () => late.reject(refusal))
  try {
    return await Promise.race([verify(), late.promise])
  } finally {
    stop()
  }
}
