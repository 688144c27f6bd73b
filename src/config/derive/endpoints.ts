import type { EndpointKind } from '../../core/route-facts.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'

/** A public path of a server, and the key that says so. */
export interface Endpoint {
  readonly kind: EndpointKind
  readonly path: string
  /** Below the server. */
  readonly at: readonly string[]
}

/** The public paths of a server. */
export function listEndpoints(server: PartialConfig<ServerConfig>): Endpoint[] {
  const endpoints: Endpoint[] = []
  if (server.path !== undefined) endpoints.push({ kind: 'streamable_http', path: server.path, at: ['path'] })
  if (server.sse?.path === undefined) return endpoints
  const messages = server.sse.messages_path ?? replaceLastSegment(server.sse.path, 'messages')
  endpoints.push({ kind: 'sse', path: server.sse.path, at: ['sse', 'path'] })
  endpoints.push({ kind: 'messages', path: messages, at: ['sse', 'messages_path'] })
  return endpoints
}

/** The name of a server: its own, or one made from its first path. */
export function nameServer(server: PartialConfig<ServerConfig>): string {
  return server.name ?? (server.path ?? server.sse?.path ?? '').slice(1).replace(/[^\w.-]+/g, '-')
}

function replaceLastSegment(path: string, segment: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1) + segment
}
