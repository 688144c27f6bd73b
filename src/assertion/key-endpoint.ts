import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { AssertionKey, AssertionKeys } from './assertion-keys.ts'

/** Verifiers may keep the key set for as long: new keys are published for an hour before they sign. */
const MAX_AGE_SECONDS = 300

/** Publishes the keys that verify assertions (RFC 7517 §5). Open to everyone. */
export function createKeyEndpoint(sources: readonly AssertionKeys[]): EndpointHandler {
  return ({ request, response }) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
      return
    }
    const body = JSON.stringify({ keys: listOnce(sources.flatMap(({ published }) => published)) })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'cache-control': `public, max-age=${MAX_AGE_SECONDS}`,
      'access-control-allow-origin': '*',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

/** Servers may share keys. */
function listOnce(keys: readonly AssertionKey[]): object[] {
  return [...new Map(keys.map(({ keyId, publicJwk }) => [keyId, publicJwk])).values()]
}
