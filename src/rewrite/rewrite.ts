import { systemClock } from '../core/clock.ts'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import type { RewritePlan } from '../core/plan/rewrite-plan.ts'
import { REWRITE_PATHS } from '../core/rewrite-paths.ts'
import { createMetadataSource, type MetadataSource } from '../oauth/authorization-server-metadata.ts'
import type { ResolveHost } from '../oauth/resolve-host.ts'
import { createSafeFetch } from '../oauth/safe-fetch.ts'
import { allowEverybody, answerPreflight, refuseMethod } from './answers.ts'
import { createRedirect } from './authorization.ts'
import { createPassing } from './passing.ts'

/** Requests of the OAuth flow that are passed on to an identity provider, for configurations of the Go proxy. */
export interface Rewrite {
  /** By public path. */
  readonly handlers: ReadonlyMap<string, EndpointHandler>
  close(): Promise<void>
}

const METADATA = '/.well-known/oauth-authorization-server'
const PKCE = 'code_challenge_methods_supported'

/**
 * @param endpointPaths - paths of the MCP endpoints, from which clients make up where metadata might be
 * @param resolveHost - for tests; `dns.lookup` otherwise
 */
export function createRewrite(plan: RewritePlan, endpointPaths: readonly string[], resolveHost?: ResolveHost): Rewrite {
  const { issuer, allowPrivateNetwork, ca, egress } = plan
  const outboundFetch = createSafeFetch({ issuer, allowPrivateNetwork, ca, egress }, resolveHost)
  const provider = createMetadataSource({ issuer: plan.issuer, metadataUrl: undefined }, outboundFetch.fetchJson, systemClock)
  const serveMetadata = createMetadata(plan, provider)
  const metadataPaths = [METADATA, ...endpointPaths.flatMap((path) => [`${METADATA}${path}`, `${path}${METADATA}`])]
  return {
    handlers: new Map<string, EndpointHandler>([
      [REWRITE_PATHS.authorization, createRedirect(plan.authorization, plan.sharedClient)],
      [REWRITE_PATHS.token, createPassing({ endpoint: plan.token, form: true, grants: plan.grants, outboundFetch })],
      ...(plan.registration === undefined
        ? []
        : [[REWRITE_PATHS.registration, createPassing({ endpoint: plan.registration, form: false, outboundFetch })] as const]),
      ...metadataPaths.map((path) => [path, serveMetadata] as const),
    ]),
    close: () => outboundFetch.close(),
  }
}

/**
 * The metadata of an authorization server that is us: `issuer` has to be where it was found (RFC 8414 §3.3). PKCE is the identity
 * provider's, so it is announced as far as that, or the configuration, says (2026-07-28 basic/authorization, Authorization Code Protection).
 */
function createMetadata({ publicUrl, metadata, registration }: RewritePlan, provider: MetadataSource): EndpointHandler {
  const document = {
    response_types_supported: ['code'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    ...metadata,
    issuer: publicUrl,
    authorization_endpoint: `${publicUrl}${REWRITE_PATHS.authorization}`,
    token_endpoint: `${publicUrl}${REWRITE_PATHS.token}`,
    ...(registration !== undefined && { registration_endpoint: `${publicUrl}${REWRITE_PATHS.registration}` }),
  }
  const isStated = Object.hasOwn(metadata, PKCE)
  return async (incoming: EndpointRequest) => {
    const { request, response } = incoming
    if (request.method === 'OPTIONS') return answerPreflight(incoming, ['GET', 'HEAD'])
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuseMethod(incoming, ['GET', 'HEAD', 'OPTIONS'])
    const found = isStated ? undefined : await findMethods(incoming, provider)
    const text = JSON.stringify({ ...document, ...(found?.methods !== undefined && { [PKCE]: found.methods }) })
    const kept = isStated || found !== undefined ? 'max-age=300' : 'no-store'
    response.writeHead(200, { ...allowEverybody, 'content-type': 'application/json', 'cache-control': kept })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
}

/** @returns undefined where the identity provider cannot be asked at the moment, which the log says */
async function findMethods(
  incoming: EndpointRequest,
  provider: MetadataSource,
): Promise<{ readonly methods: readonly string[] | undefined } | undefined> {
  try {
    return { methods: (await provider.load()).codeChallengeMethods }
  } catch (error) {
    incoming.note('identity_provider_unavailable', error)
    return undefined
  }
}
