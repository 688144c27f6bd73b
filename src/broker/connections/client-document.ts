import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointHandler } from '../../core/endpoint-request.ts'
import { describeClient } from '../upstream-accounts/account-clients.ts'

const CACHE = 'public, max-age=300'

/**
 * Serves the metadata documents by which authorization servers of MCP servers know us (OAuth Client ID Metadata Document): one for each of
 * them, with a redirect URI of its own.
 */
export function createDocumentHandler(origin: string): EndpointHandler {
  const { client, callback } = BROKER_PATHS.connections
  return ({ request, response, path }) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
      return
    }
    const redirectUri = `${origin}${callback}${path.slice(client.length)}`
    const document = { client_id: `${origin}${path}`, ...describeClient(origin, redirectUri), token_endpoint_auth_method: 'none' }
    const body = JSON.stringify(document)
    response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': CACHE,
      'x-content-type-options': 'nosniff',
      'content-length': Buffer.byteLength(body),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}
