import { type AdapterFactory, type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { Clock } from '../../core/clock.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../../core/ports.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { SigningJwk } from '../../oauth/signing-keys.ts'
import { type Accounts, pickClaims } from '../accounts/accounts.ts'
import { describeClient, listIntrospectors } from '../clients/configured-clients.ts'
import { settleClientMetadata } from '../clients/metadata.ts'
import { isWellFormedClientId } from '../clients/metadata-documents.ts'
import { describeFormat, narrowToClient, type Resources } from '../clients/resources.ts'
import type { IdentityAssertions } from '../grants/identity-assertions.ts'
import { findMachineClaims, registerMachineGrants } from '../grants/machine-grants.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { SIGN_IN_MINUTES } from '../pages/sign-in-errors.ts'
import type { Consents } from '../sign-in/consents.ts'
import type { SingleUse } from '../storage/single-use.ts'
import { GRANT_CLAIM } from '../tokens/revocation.ts'
import type { StepUps } from '../tokens/step-ups.ts'
import type { UpstreamAccounts } from '../upstream-accounts/upstream-accounts.ts'
import { planCookies } from './cookies.ts'
import { createInteractionPolicy } from './interaction-policy.ts'
import { curateMetadata, type Middleware, nameDefaults } from './middlewares.ts'
import { settleOpenIdParameters } from './openid-parameters.ts'
import { createForgivingProvider } from './token-requests.ts'
import { planUsers } from './users.ts'
import { createClientMetadataHook } from './workarounds/client-metadata-hook.ts'
import { redirectExactly } from './workarounds/exact-redirects.ts'
import { answerInvalidClient } from './workarounds/invalid-client-status.ts'
import { createForeignTokenError } from './workarounds/jwt-revocation-and-introspection.ts'
import { allowRegistrationFromPages } from './workarounds/registration-cors.ts'
import { answerUnauthorizedClient } from './workarounds/unauthorized-client.ts'

export interface ProviderOptions {
  readonly plan: BrokerPlan
  readonly resources: Resources
  readonly accounts: Accounts
  readonly consents: Consents
  readonly stepUps: StepUps
  readonly singleUse: SingleUse
  readonly assertions: IdentityAssertions
  /** Verifies access tokens that are to be exchanged. */
  readonly subjectTokens: TokenVerifier
  readonly adapter: AdapterFactory
  readonly cookieKeys: readonly string[]
  /** Fetches what clients name: their metadata documents and keys. */
  readonly fetch: typeof fetch
  readonly clock: Clock
  /** Undefined where no MCP server has accounts of users. */
  readonly upstreamAccounts: UpstreamAccounts
  readonly report: OnEvent
}

/** What is called around the provider's endpoints. */
export interface ProviderHooks {
  readonly renderError: NonNullable<Configuration['renderError']>
  /** Further middlewares, the outermost first. */
  readonly middlewares: readonly Middleware[]
}

/** Longest metadata document of a client, and longest key set, in bytes. */
const MAX_DOCUMENT_BYTES = 10 * 1024
const MAX_KEYS_BYTES = 64 * 1024
const CODE_SECONDS = 60
/** What a client is told whose refresh would not bring the scopes that it needs. */
const STEP_UP = 'a refresh cannot add the scopes that are required'
/** Longest time for which a client’s assertion may be good. */
const MAX_ASSERTION_SECONDS = { known: 3600, stranger: 600 }

/** Creates the OAuth provider. Tokens are signed with the first key; the others are still published. */
export function createProvider(
  options: ProviderOptions,
  hooks: ProviderHooks,
  keys: readonly [SigningJwk, ...SigningJwk[]],
): Provider {
  const { plan, resources } = options
  const configuration = {
    adapter: options.adapter,
    clients: plan.clients.map(describeClient),
    jwks: { keys: [...keys] },
    scopes: ['openid', 'offline_access'],
    responseTypes: ['code'],
    // OAuth 2.1 §4.1.1.
    allowOmittingSingleRegisteredRedirectUri: true,
    routes: BROKER_PATHS.provider,
    interactions: {
      url: (_ctx, interaction) => `${BROKER_PATHS.signIn}/${interaction.uid}`,
      policy: createInteractionPolicy(),
    },
    cookies: planCookies(plan.issuer, options.cookieKeys),
    renderError: hooks.renderError,
    clientBasedCORS: () => true,
    pkce: { required: () => true },
    fetch: options.fetch,
    fetchResponseBodyLimits: { 'client_id metadata document': MAX_DOCUMENT_BYTES, jwks_uri: MAX_KEYS_BYTES },
    ...planUsers(options),
    ...planClients(options),
    ...planTokens(options),
    features: planFeatures(options, keys[0].kid),
  } as Configuration
  const provider = createForgivingProvider(plan.issuer, configuration, {
    findTarget: resources.find,
    beforeAnswer: options.singleUse.useAll,
  })
  provider.proxy = true
  const listAudience = (): Set<string> => listOwnNames(plan)
  provider.OIDCContext.prototype.clientJwtAuthExpectedAudience = listAudience
  for (const middleware of [options.singleUse.middleware, ...hooks.middlewares]) provider.use(middleware)
  provider.use(allowRegistrationFromPages)
  provider.use(answerInvalidClient)
  provider.use(answerUnauthorizedClient)
  provider.use(redirectExactly)
  provider.use(nameDefaults(resources, plan))
  provider.use(settleOpenIdParameters)
  provider.use(curateMetadata(resources, plan))
  registerMachineGrants(provider, options, keys[0].kid)
  return provider
}

/**
 * What a client's assertion names as its audience: our issuer (RFC 7523bis §4), also with the slash that URL libraries add. Another
 * authorization server can publish our token endpoint as its own, and collect assertions for it.
 */
function listOwnNames({ issuer }: BrokerPlan): Set<string> {
  return new Set([issuer, `${issuer}/`])
}

/** What clients are when they don't say. MCP clients are mostly public. */
function planClients({ plan, clock }: ProviderOptions): Configuration {
  const known = new Set(plan.clients.map(({ id }) => id))
  return {
    clientDefaults: {
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    // Each is stored until it expires, and unknown clients can register keys that sign them.
    assertJwtClientAuthClaimsAndHeader: async (_ctx, { aud, exp }, _header, client) => {
      // The library is content with one that it knows among others.
      if (Array.isArray(aud) && aud.length !== 1)
        throw new errors.InvalidClientAuth('the client assertion has more than one audience')
      const most = known.has(client.clientId) ? MAX_ASSERTION_SECONDS.known : MAX_ASSERTION_SECONDS.stranger
      const isShort = typeof exp === 'number' && exp <= clock.wall() / 1000 + most
      if (!isShort) throw new errors.InvalidClientAuth('the lifetime of the client assertion is too long')
    },
    extraClientMetadata: createClientMetadataHook((metadata) =>
      settleClientMetadata(metadata, known.has(String(metadata.client_id))),
    ),
  }
}

function planTokens(options: ProviderOptions): Configuration {
  const { plan, accounts } = options
  return {
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: async (ctx) => {
      if (await isStepUpDue(ctx, options)) throw createStepUpError()
      return true
    },
    expiresWithSession: async () => false,
    extraTokenClaims: async (_ctx, token) => {
      const machineClaims = findMachineClaims(token)
      if (machineClaims !== undefined) return machineClaims
      // Nothing is left of what the user allowed and may have: OAuth has no grant of nothing.
      if (token.scope === undefined || token.scope === '')
        throw new errors.InvalidGrant('none of the granted scopes is available any more')
      const user = 'accountId' in token && token.accountId ? await accounts.find(token.accountId) : undefined
      const grantId = 'grantId' in token ? token.grantId : undefined
      return {
        ...(user && pickClaims(user.claims, plan.identityProvider.tokenClaims)),
        ...(grantId !== undefined && { [GRANT_CLAIM]: grantId }),
      }
    },
    ttl: {
      AccessToken: plan.accessTokenSeconds,
      AuthorizationCode: CODE_SECONDS,
      Grant: plan.grantSeconds,
      IdToken: plan.accessTokenSeconds,
      Interaction: SIGN_IN_MINUTES * 60,
      RefreshToken: (_ctx, token) => limitToGrant(token.iiat, options),
      Session: plan.browserSeconds,
    },
  }
}

/** Whether the client needs scopes that a refresh can't bring, but its user could. */
async function isStepUpDue({ oidc }: KoaContextWithOIDC, { plan, accounts, stepUps }: ProviderOptions): Promise<boolean> {
  const { Grant: grant, RefreshToken: token } = oidc.entities
  const missing = grant === undefined ? undefined : await stepUps.take(grant.jti)
  if (missing === undefined || missing.every((scope) => token?.scopes.has(scope))) return false
  const user = await accounts.find(grant?.accountId ?? '')
  // Where the identity provider has a say, it is asked anew then.
  const { grant: rules } = plan.identityProvider
  const may = user && listUserScopes(user.claims, { grant: rules, asgardeo: undefined }, new Set(missing))
  return missing.every((scope) => may?.has(scope) === true)
}

/** `invalid_grant` would mean that the grant is over (RFC 6749 §5.2), and have clients drop their tokens. */
function createStepUpError(): Error {
  const answer = new errors.CustomOIDCProviderError('server_error', STEP_UP)
  return Object.assign(answer, { status: 503, statusCode: 503 })
}

/** A refresh token expires with its grant at the latest, and clients are told so. */
function limitToGrant(firstIssuedAt: number | undefined, { plan, clock }: ProviderOptions): number {
  const { refreshTokenSeconds, grantSeconds } = plan
  const age = firstIssuedAt === undefined ? 0 : Math.floor(clock.wall() / 1000) - firstIssuedAt
  return Math.max(1, Math.min(refreshTokenSeconds, grantSeconds - age))
}

function planFeatures(options: ProviderOptions, kid: string): NonNullable<Configuration['features']> {
  const { plan } = options
  const confidential = listIntrospectors(plan)
  return {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    // The resource server does not accept tokens that are bound to a key, so they are not offered.
    dPoP: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    registration: { enabled: plan.registration.enabled, initialAccessToken: false, issueRegistrationAccessToken: false },
    rpMetadataChoices: { enabled: true },
    clientIdMetadataDocument: {
      enabled: plan.clientMetadata.enabled,
      ack: 'draft-02',
      cacheDuration: { min: 60, max: 86_400 },
      allowFetch: async (_ctx, clientId) => isWellFormedClientId(clientId),
    },
    introspection: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) =>
        client.clientAuthMethod !== 'none' && (confidential.has(client.clientId) || token.clientId === client.clientId),
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => {
        if (token.clientId !== client.clientId) throw createForeignTokenError()
        return true
      },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => oneOf ?? findSole(options),
      useGrantedResource: async () => true,
      getResourceServerInfo: (ctx, resource, client) =>
        describeResource(options, ctx, resource, { kid, clientId: client.clientId }),
    },
  }
}

function findSole({ resources }: ProviderOptions): string {
  if (resources.sole === undefined) throw new errors.InvalidTarget('resource is required: this server has more than one')
  return resources.sole.identifier
}

async function describeResource(
  { plan, resources, accounts }: ProviderOptions,
  ctx: KoaContextWithOIDC,
  identifier: string,
  { kid, clientId }: { readonly kid: string; readonly clientId: string },
) {
  // RFC 8707 §2 leaves it to us: a token for two servers could be used by each of them at the other.
  if (Array.isArray(ctx.oidc.params?.resource))
    throw new errors.InvalidTarget('only one resource is allowed: a token is for one resource')
  const known = plan.clients.find(({ id }) => id === clientId)
  const found = resources.find(identifier)
  const resource = found && narrowToClient(found, known)
  if (resource === undefined) throw new errors.InvalidTarget('unknown resource')
  const subject = ctx.oidc.entities.Account?.accountId
  const user = subject === undefined ? undefined : await accounts.find(subject)
  // Once the user is known, tokens are limited to the scopes that this user may have.
  const scopes = user === undefined ? resource.scopes : listUserScopes(user.claims, plan.identityProvider, resource.scopes)
  return describeFormat(resource, scopes, plan.accessTokenSeconds, kid)
}
