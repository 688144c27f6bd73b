import type { EndpointHandler } from '../core/endpoint-request.ts'
import { foldParameterName } from '../core/parameter-names.ts'
import type { RewriteEndpointPlan, RewritePlan } from '../core/plan/rewrite-plan.ts'
import { isUsableRedirectUri } from '../core/redirect-uris.ts'
import { refuseMethod, sendOAuthError } from './answers.ts'
import { mergeParameters } from './parameters.ts'

/**
 * Sends browsers on to the authorization endpoint with more parameters. Its pages and cookies stay with it: the Go proxy fetched them
 * and served them as its own.
 *
 * @param sharedClient - where answers may go when all clients are one there
 */
export function createRedirect(
  { url, parameters }: RewriteEndpointPlan,
  sharedClient: RewritePlan['sharedClient'],
): EndpointHandler {
  const target = new URL(url)
  // What the configuration has in the URL counts like what it adds.
  const added = { ...Object.fromEntries(target.searchParams), ...parameters }
  const bare = `${target.origin}${target.pathname}`
  return (incoming) => {
    const { request, response } = incoming
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuseMethod(incoming, ['GET', 'HEAD'])
    const [, query = ''] = /\?(.*)$/s.exec(request.url ?? '') ?? []
    const merged = mergeParameters(new URLSearchParams(query), added)
    if (merged === undefined) return sendOAuthError(incoming, 'authorization_refused', 'a parameter is repeated')
    if (sharedClient !== undefined && !mayAnswerTo(merged, added, sharedClient.redirectUris))
      return sendOAuthError(
        incoming,
        'authorization_refused',
        'a redirect URI that is neither a loopback address nor in `rewrite.redirect_uris`, or a request object',
      )
    const headers = { location: `${bare}?${merged}`, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }
    response.writeHead(302, headers).end()
  }
}

/** What stands in a request object counts, and not what stands beside it (RFC 9101 §5, RFC 9126 §4). Names are folded. */
const REQUEST_OBJECTS = new Set(['request', 'requesturi'])

/**
 * Whether a redirect URI is allowed. To the identity provider all clients are one, and it asks for no consent to each (2026-07-28
 * basic/security_best_practices, Confused Deputy Problem): an attacker's link must not send a code to any redirect URI of that client.
 */
function mayAnswerTo(merged: URLSearchParams, added: Readonly<Record<string, string>>, listed: readonly string[]): boolean {
  const isOfClient = (name: string) => !Object.hasOwn(added, name)
  if ([...merged.keys()].some((name) => isOfClient(name) && foldParameterName(name).some((one) => REQUEST_OBJECTS.has(one))))
    return false
  if (Object.hasOwn(added, 'redirect_uri')) return true
  const uri = merged.get('redirect_uri') ?? ''
  return listed.includes(uri) || (/^http:/i.test(uri) && isUsableRedirectUri(uri))
}
