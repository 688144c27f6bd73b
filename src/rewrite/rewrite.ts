import type { RewritePlan } from '../core/plan.ts'
import { REWRITE_PATHS } from '../core/rewrite-paths.ts'
import type { Visit, VisitHandler } from '../core/visit.ts'
import { createSafeFetch, type ResolveHost } from '../oauth/safe-fetch.ts'
import { allowEverybody, answerPreflight, sendOAuthError } from './answers.ts'
import { createRedirect } from './authorization.ts'
import { createPassing } from './passing.ts'

/** Requests of the OAuth flow that are passed on to an identity provider, for configurations of the Go proxy. */
export interface Rewrite {
  /** By public path. */
  readonly handlers: ReadonlyMap<string, VisitHandler>
  close(): Promise<void>
}

const METADATA = '/.well-known/oauth-authorization-server'

/**
 * @param endpointPaths - paths of the MCP endpoints, from which clients make up where metadata might be
 * @param resolveHost - for tests; `dns.lookup` otherwise
 */
export function createRewrite(plan: RewritePlan, endpointPaths: readonly string[], resolveHost?: ResolveHost): Rewrite {
  const door = createSafeFetch(plan, resolveHost)
  const serveMetadata = createMetadata(plan)
  const metadataPaths = [METADATA, ...endpointPaths.flatMap((path) => [`${METADATA}${path}`, `${path}${METADATA}`])]
  return {
    handlers: new Map<string, VisitHandler>([
      [REWRITE_PATHS.authorization, createRedirect(plan.authorization)],
      [REWRITE_PATHS.token, createPassing({ endpoint: plan.token, form: true, door })],
      ...(plan.registration === undefined
        ? []
        : [[REWRITE_PATHS.registration, createPassing({ endpoint: plan.registration, form: false, door })] as const]),
      ...metadataPaths.map((path) => [path, serveMetadata] as const),
    ]),
    close: () => door.close(),
  }
}

/** The metadata of an authorization server that is us: `issuer` has to be where it was found (RFC 8414 §3.3). */
function createMetadata({ publicUrl, metadata, registration }: RewritePlan): VisitHandler {
  const document = JSON.stringify({
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    ...metadata,
    issuer: publicUrl,
    authorization_endpoint: `${publicUrl}${REWRITE_PATHS.authorization}`,
    token_endpoint: `${publicUrl}${REWRITE_PATHS.token}`,
    ...(registration !== undefined && { registration_endpoint: `${publicUrl}${REWRITE_PATHS.registration}` }),
  })
  return (visit: Visit) => {
    const { request, response } = visit
    if (request.method === 'OPTIONS') return answerPreflight(visit, ['GET', 'HEAD'])
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendOAuthError(visit, 'method_not_allowed', 'GET is needed')
    response.writeHead(200, { ...allowEverybody, 'content-type': 'application/json', 'cache-control': 'max-age=300' })
    response.end(request.method === 'HEAD' ? undefined : document)
  }
}
