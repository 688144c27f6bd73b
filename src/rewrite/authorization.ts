import type { RewriteEndpointPlan } from '../core/plan.ts'
import type { VisitHandler } from '../core/visit.ts'
import { sendOAuthError } from './answers.ts'
import { mergeParameters } from './parameters.ts'

/**
 * Sends browsers on to the authorization endpoint with more parameters. Its pages and cookies stay with it: the Go proxy fetched them
 * and served them as its own.
 */
export function createRedirect({ url, parameters }: RewriteEndpointPlan): VisitHandler {
  const target = new URL(url)
  // What the configuration has in the URL counts like what it adds.
  const added = { ...Object.fromEntries(target.searchParams), ...parameters }
  const bare = `${target.origin}${target.pathname}`
  return (visit) => {
    const { request, response } = visit
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendOAuthError(visit, 'method_not_allowed', 'GET is needed')
    const [, query = ''] = /\?(.*)$/s.exec(request.url ?? '') ?? []
    const merged = mergeParameters(new URLSearchParams(query), added)
    if (merged === undefined) return sendOAuthError(visit, 'authorization_refused', 'a parameter is there twice')
    const headers = { location: `${bare}?${merged}`, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }
    response.writeHead(302, headers).end()
  }
}
