import { ProxyError } from '../core/errors.ts'
import type { Route } from '../core/route.ts'
import type { EndpointKind } from '../core/route-facts.ts'
import type { RequestHead } from '../http/request-head.ts'

const METHODS: Readonly<Record<EndpointKind, readonly string[]>> = {
  streamable_http: ['GET', 'POST', 'DELETE'],
  sse: ['GET'],
  messages: ['POST'],
}

/** What the endpoint answers to. */
export function methodsOf(route: Route): readonly string[] {
  return METHODS[route.kind]
}

/**
 * Checks the method after authentication, so that a client without a token gets the challenge whatever the method (clients probe with HEAD
 * and GET).
 *
 * @throws ProxyError `method_not_allowed`, `body_unexpected`
 */
export function checkMethod(head: RequestHead, route: Route): void {
  if (!methodsOf(route).includes(head.method)) throw new ProxyError('method_not_allowed', { cause: head.method })
  if (head.method !== 'POST' && head.hasBody) throw new ProxyError('body_unexpected')
}
