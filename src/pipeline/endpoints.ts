import { Buffer } from 'node:buffer'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import { ProxyError } from '../core/errors.ts'
import type { Route } from '../core/route.ts'
import type { ProtectedResource } from '../core/route-facts.ts'
import { createProtectedResourceMetadata, ROOT_METADATA_PATH } from '../oauth/protected-resource.ts'

/** What answers on a public path. */
export type Endpoint =
  | { readonly kind: 'guarded'; readonly route: Route }
  /** Protected resource metadata: a JSON document, open to everyone. */
  | { readonly kind: 'metadata'; readonly document: Buffer }
  /** A part of our own that answers for itself; its requests have passed the check of `Host`. */
  | { readonly kind: 'handled'; readonly handle: EndpointHandler }
  /** For load balancers and monitoring. */
  | { readonly kind: 'health'; readonly isHealthy: (query: string | undefined) => boolean }

/** What a load balancer wants to send requests for: those of MCP clients, or also those of the broker. */
export type ReadinessScope = 'process' | 'broker'

/** By exact path; a final `/{id}` stands for one segment of letters, digits, `-` and `_`. */
export type Endpoints = ReadonlyMap<string, Endpoint>

/** What has public paths. */
export interface EndpointSources {
  readonly routes: readonly Route[]
  /** Of the parts that answer for themselves. */
  readonly handlers: Iterable<readonly [string, EndpointHandler]>
  readonly isReady: (scope: ReadinessScope) => boolean
}

/** Everything that is served, with the protected resource metadata of all routes. */
export function createEndpoints({ routes, handlers, isReady }: EndpointSources): Endpoints {
  const endpoints = new Map<string, Endpoint>()
  for (const [path, handle] of handlers) endpoints.set(path, { kind: 'handled', handle })
  endpoints.set('/healthz', { kind: 'health', isHealthy: () => true })
  endpoints.set('/readyz', { kind: 'health', isHealthy: (query) => isReady(readReadinessScope(query)) })
  for (const route of routes) endpoints.set(route.path, { kind: 'guarded', route })
  for (const [path, resource] of findMetadataPaths(routes)) {
    endpoints.set(path, { kind: 'metadata', document: Buffer.from(JSON.stringify(createProtectedResourceMetadata(resource))) })
  }
  return endpoints
}

/**
 * `/readyz` alone is about this process. What all replicas share counts only where the question names the part that needs it, or an outage
 * of it would take all of them out of the load balancer at once.
 *
 * @throws ProxyError `request_malformed` for another part, or two of them
 */
function readReadinessScope(query: string | undefined): ReadinessScope {
  const asked = new URLSearchParams(query).getAll('for')
  if (asked.length === 0) return 'process'
  if (asked.length === 1 && asked[0] === 'broker') return 'broker'
  throw new ProxyError('request_malformed', { reason: 'target_invalid', cause: '/readyz knows ?for=broker alone' })
}

/** The path form for every endpoint that a client may be given, and the root form where there is only one server it could mean. */
function findMetadataPaths(routes: readonly Route[]): [string, ProtectedResource][] {
  const resources = routes.filter(({ kind }) => kind !== 'messages').map(({ resource }) => resource)
  const paths = resources.map((resource): [string, ProtectedResource] => [resource.metadataPath, resource])
  const [first] = resources
  const isOnlyServer = new Set(routes.map(({ server }) => server)).size === 1
  return isOnlyServer && first ? [[ROOT_METADATA_PATH, first], ...paths] : paths
}

/** One of our ids as the last segment of a path: nothing that the next reader could decode, drop or split. */
const ID_AT_END = /\/[\w-]+$/

/** @throws ProxyError `route_not_found` */
export function findEndpoint(endpoints: Endpoints, path: string): Endpoint {
  const endpoint = endpoints.get(path) ?? (ID_AT_END.test(path) ? endpoints.get(replaceId(path)) : undefined)
  if (!endpoint) throw new ProxyError('route_not_found')
  return endpoint
}

/** The path of an endpoint as it is configured: without an id. */
export function findPattern(endpoints: Endpoints, path: string): string {
  return endpoints.has(path) ? path : replaceId(path)
}

function replaceId(path: string): string {
  return path.replace(ID_AT_END, '/{id}')
}
