import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose'
import Provider, { type Configuration, type JWK } from 'oidc-provider'
import { Agent, fetch as undiciFetch } from 'undici'
import { createSigningKey } from '../../src/sandbox/keys.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createMemory } from '../../src/sandbox/memory.ts'
import { createCertificate } from './certificate.ts'

/** oidc-provider as it is, over https, where clients are known by their metadata documents alone. */
export interface HttpsAuthorizationServer {
  readonly issuer: string
  /** PEM of the authority of its certificate. */
  readonly ca: string
  /** URLs of the documents that it has fetched. */
  readonly fetched: readonly string[]
  /** Client ids of those to whom it has issued tokens, by grant type. */
  readonly issued: readonly (readonly [grantType: string, clientId: string])[]
  /** Ids of clients whose tokens were revoked at their wish. */
  readonly revoked: readonly string[]
  /** @throws Error unless the token is its own, for this resource */
  verify(token: string): Promise<JWTPayload>
  close(): Promise<void>
}

/**
 * @param user - who is signed in and consents without a page
 * @param resource - identifier of the MCP server
 * @param clientCa - PEM of the authority that the places of documents have their certificates from
 */
export async function startHttpsAuthorizationServer(
  user: string,
  resource: string,
  clientCa: string,
): Promise<HttpsAuthorizationServer> {
  const certificate = createCertificate()
  const server = createServer(certificate, (request, response) => void answer(request, response))
  const issuer = `https://localhost:${await listenOnLoopback(server, 0)}`
  const key = await createSigningKey('ES256')
  const dispatcher = new Agent({ connect: { ca: clientCa } })
  const fetched: string[] = []
  const fetchDocument = (url: string | URL | Request, init: RequestInit = {}) => {
    fetched.push(String(url))
    return undiciFetch(String(url), { ...(init as object), dispatcher }) as unknown as Promise<Response>
  }
  const provider = new Provider(issuer, { ...configure(key, resource), fetch: fetchDocument as typeof fetch })
  const issued: [string, string][] = []
  const revoked: string[] = []
  provider.on('grant.success', ({ oidc }) => issued.push([String(oidc.params?.grant_type), String(oidc.client?.clientId)]))
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.path === '/token/revocation' && ctx.status === 200) revoked.push(String(ctx.oidc?.client?.clientId))
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await (request.url?.startsWith('/interaction/') === true
        ? approve(provider, user, request, response)
        : provider.callback()(request, response))
    } catch (error) {
      response.destroy(error instanceof Error ? error : undefined)
    }
  }

  const keys = createLocalJWKSet({
    keys: [{ kty: key.kty, crv: key.crv, x: key.x, y: key.y, kid: key.kid, alg: 'ES256' }],
  } as never)
  return {
    issuer,
    ca: certificate.cert,
    fetched,
    issued,
    revoked,
    verify: async (token) => (await jwtVerify(token, keys, { issuer, audience: resource })).payload,
    async close() {
      await dispatcher.close()
      await closeServer(server)
    },
  }
}

function configure(key: JWK & { kid: string }, resource: string): Configuration {
  return {
    adapter: createMemory().adapter,
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 600,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 3600,
    },
    jwks: { keys: [key] },
    scopes: ['openid', 'offline_access'],
    responseTypes: ['code'],
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    clientDefaults: { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'none' },
    features: {
      devInteractions: { enabled: false },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: async () => ({
          audience: resource,
          scope: 'mcp:tools',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256', kid: key.kid } },
        }),
      },
    },
  }
}

async function approve(provider: Provider, user: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: user } })
  const grant = new provider.Grant({ accountId: user, clientId: String(params.client_id) })
  grant.addOIDCScope('openid offline_access')
  grant.addResourceScope(String(params.resource), String(params.scope))
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
}
