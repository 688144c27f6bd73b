import { type ClientMetadata, type Configuration, errors, type JWK, type Provider } from 'oidc-provider'
import { normalizeIdentifier } from '../broker/clients/resources.ts'
import type { Middleware } from '../broker/protocol/middlewares.ts'
import { createForgivingProvider, type Target } from '../broker/protocol/token-requests.ts'
import { createClientMetadataHook } from '../broker/protocol/workarounds/client-metadata-hook.ts'
import { allowRegistrationFromPages } from '../broker/protocol/workarounds/registration-cors.ts'
import type { SigningAlgorithm } from './keys.ts'
import type { Memory } from './memory.ts'
import { renderErrorPage } from './pages.ts'
import type { Scope, User } from './users.ts'

/** What an authorization server is made from. */
export interface ProviderPlan {
  readonly issuer: string
  readonly users: readonly User[]
  readonly scopes: readonly Scope[]
  /** Scopes of a request that names none (RFC 6749 §3.3). */
  readonly defaultScopes: readonly string[]
  /** Whether they are added to what a request names, too. */
  readonly addDefaultScopes: boolean
  /** Resource identifiers that tokens can be asked for (RFC 8707); read anew for each request. */
  readonly resources: ReadonlySet<string>
  /** Resource of a request that names none; undefined: the only one, where there is but one. */
  readonly defaultResource: string | undefined
  readonly accessTokenFormat: 'jwt' | 'opaque'
  readonly algorithm: SigningAlgorithm
  readonly accessTokenSeconds: number
  readonly refreshTokenSeconds: number
  /** Clients registered beforehand. Those with a secret may introspect tokens. */
  readonly clients: readonly ClientMetadata[]
  readonly memory: Memory
  readonly cookieKeys: readonly string[]
  readonly clientDocuments: boolean
  /** Fetches client ID metadata documents. Undefined: the provider's own, which refuses private and loopback addresses. */
  readonly fetchClientMetadata: typeof fetch | undefined
}

const DAY = 24 * 60 * 60

/** Creates the OAuth and OpenID provider. Tokens are signed with the first key; the others are still published. */
export function createProvider(plan: ProviderPlan, keys: readonly [JWK & { kid: string }, ...JWK[]]): Provider {
  const configuration: Configuration = {
    adapter: plan.memory.adapter,
    clients: plan.clients,
    jwks: { keys },
    scopes: ['openid', 'offline_access'],
    responseTypes: ['code'],
    routes: {
      authorization: '/authorize',
      token: '/token',
      registration: '/register',
      revocation: '/revoke',
      introspection: '/introspect',
      userinfo: '/userinfo',
      jwks: '/jwks',
    },
    interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
    cookies: { keys: plan.cookieKeys, long: { signed: true, sameSite: 'lax' }, short: { signed: true, sameSite: 'lax' } },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    findAccount: (_ctx, id) => {
      const user = plan.users.find(({ name }) => name === id)
      return user && formatAccount(user)
    },
    // Everyone is asked each time: a client can't collect permissions that a user once gave in another window.
    loadExistingGrant: async (ctx) => {
      const id = ctx.oidc.result?.consent?.grantId
      return id === undefined ? undefined : ctx.oidc.provider.Grant.find(id)
    },
    renderError: (ctx, out) => {
      const page = renderErrorPage(out)
      ctx.set({ ...page.headers })
      ctx.body = page.html
    },
    clientBasedCORS: () => true,
    pkce: { required: () => true },
    ...(plan.fetchClientMetadata && { fetch: plan.fetchClientMetadata }),
    ...planClients(plan),
    ...planTokens(plan),
    features: planFeatures(plan, keys[0].kid),
  }
  const provider = createForgivingProvider(plan.issuer, configuration, { findTarget: (resource) => findTarget(resource, plan) })
  provider.use(allowRegistrationFromPages)
  provider.use(settleRequest(plan))
  provider.use(publishScopes(plan))
  return provider
}

function formatAccount({ name, claims }: User) {
  return { accountId: name, claims: () => ({ ...claims, sub: name }) }
}

/** What clients are when they don't say. MCP clients are mostly public, native applications (RFC 8252). */
function planClients(plan: ProviderPlan): Configuration {
  return {
    clientDefaults: {
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: plan.algorithm,
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    // A client's `scope` is a limit for all its life, but MCP clients register with what they need first and step up later.
    extraClientMetadata: createClientMetadataHook((metadata) => {
      delete metadata.scope
    }),
  }
}

function planTokens(plan: ProviderPlan): Configuration {
  return {
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    expiresWithSession: async () => false,
    ttl: {
      AccessToken: plan.accessTokenSeconds,
      AuthorizationCode: 60,
      Grant: 30 * DAY,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: plan.refreshTokenSeconds,
      Session: DAY,
    },
  }
}

function planFeatures(plan: ProviderPlan, kid: string): NonNullable<Configuration['features']> {
  const introspecting = new Set(plan.clients.filter((client) => client.client_secret).map((client) => client.client_id))
  return {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    registration: { enabled: true, initialAccessToken: false, issueRegistrationAccessToken: false },
    clientIdMetadataDocument: { enabled: plan.clientDocuments, ack: 'draft-02' },
    introspection: { enabled: true, allowedPolicy: async (_ctx, client) => introspecting.has(client.clientId) },
    revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
    resourceIndicators: {
      enabled: true,
      // Clients of the first revisions name no resource. Where there is but one, they mean that one.
      defaultResource: async (_ctx, _client, oneOf) => oneOf ?? plan.defaultResource ?? findOnly(plan.resources),
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_ctx, resource) => {
        if (!plan.resources.has(resource)) throw new errors.InvalidTarget('unknown resource')
        return {
          audience: resource,
          scope: plan.scopes.map(({ name }) => name).join(' '),
          accessTokenTTL: plan.accessTokenSeconds,
          accessTokenFormat: plan.accessTokenFormat,
          ...(plan.accessTokenFormat === 'jwt' && { jwt: { sign: { alg: plan.algorithm, kid } } }),
        }
      },
    },
  }
}

function findOnly<T>(values: ReadonlySet<T>): T | undefined {
  const [first, second] = values
  return second === undefined ? first : undefined
}

function findTarget(identifier: string, { resources, scopes }: ProviderPlan): Target | undefined {
  const normal = normalizeIdentifier(identifier)
  const found = normal && [...resources].find((resource) => normalizeIdentifier(resource) === normal)
  return found ? { identifier: found, scopes: new Set(scopes.map(({ name }) => name)) } : undefined
}

/** Some clients ask for no scope at all, and a grant of nothing is refused; some write a resource in their own way. */
function settleRequest(plan: ProviderPlan): Middleware {
  return async (ctx, next) => {
    const { scope = '', resource } = ctx.query
    // What comes twice is refused later.
    if (ctx.path !== '/authorize' || typeof scope !== 'string' || Array.isArray(resource)) return next()
    const target = resource === undefined ? undefined : findTarget(resource, plan)
    ctx.query = { ...ctx.query, scope: settleScope(scope, plan), ...(target && { resource: target.identifier }) }
    return next()
  }
}

function settleScope(asked: string, { scopes, defaultScopes, addDefaultScopes }: ProviderPlan): string {
  const named = asked.split(' ').filter((name) => name !== '')
  const isUsable = named.includes('openid') || scopes.some(({ name }) => named.includes(name))
  return [...new Set([...named, ...(isUsable && !addDefaultScopes ? [] : defaultScopes)])].join(' ')
}

/** Adds the scopes of the resources to the metadata: some clients ask for the whole list that they find there. */
function publishScopes(plan: ProviderPlan): Middleware {
  return async (ctx, next) => {
    await next()
    const { body } = ctx
    if (!ctx.path.startsWith('/.well-known/') || typeof body !== 'object' || body === null) return
    if ('scopes_supported' in body) body.scopes_supported = [...plan.scopes.map(({ name }) => name), 'openid', 'offline_access']
  }
}
