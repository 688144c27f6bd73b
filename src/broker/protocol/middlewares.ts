import type { Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import { listMachineGrants } from '../clients/configured-clients.ts'
import { narrowToClient, type Resources, settleScopes } from '../clients/resources.ts'

export type Middleware = Parameters<Provider['use']>[0]

/** Pages in a browser register too (the MCP Inspector, for one), and the provider has no CORS for that endpoint. */
export const openRegistration: Middleware = async (ctx, next) => {
  if (ctx.path !== BROKER_PATHS.provider.registration) return next()
  ctx.set('Access-Control-Allow-Origin', '*')
  if (ctx.method !== 'OPTIONS') return next()
  ctx.set('Access-Control-Allow-Methods', 'POST')
  ctx.set('Access-Control-Allow-Headers', ctx.get('Access-Control-Request-Headers') || 'content-type')
  ctx.set('Access-Control-Max-Age', '3600')
  ctx.status = 204
}

/** A client that we don't know any more learns it by 401, upon which it registers anew (RFC 6749 §5.2). */
export const sayUnauthorized: Middleware = async (ctx, next) => {
  await next()
  if (ctx.status === 400 && isErrorOf(ctx.body, 'invalid_client')) ctx.status = 401
  // RFC 6749 §5.2 has an error of its own for a grant that is not for this client.
  if (isErrorOf(ctx.body, 'invalid_request') && ctx.body.error_description === NOT_ALLOWED) ctx.body.error = 'unauthorized_client'
}

/** In the words of oidc-provider. */
const NOT_ALLOWED = 'requested grant type is not allowed for this client'

function isErrorOf(body: unknown, error: string): body is { error: string; error_description?: unknown } {
  return typeof body === 'object' && body !== null && 'error' in body && body.error === error
}

/** What an answer has of its own (RFC 6749 §4.1.2, §4.1.2.1, RFC 9207 §2). */
const ANSWER = new Set(['code', 'state', 'iss', 'error', 'error_description', 'error_uri'])

/**
 * Answers go in the query of the redirect URI, as OAuth has it (RFC 6749 §4.1.2), which stays letter by letter what it was (§3.1.2). The
 * other ways would need pages with scripts, or show codes to the scripts of a page.
 */
export const answerByQueryAlone: Middleware = async (ctx, next) => {
  const { response_mode: mode } = ctx.query
  const { authorization } = BROKER_PATHS.provider
  // A value that the provider does not know: it tells the client so.
  if (ctx.path === authorization && typeof mode === 'string' && mode !== 'query')
    ctx.query = { ...ctx.query, response_mode: 'none_but_query' }
  await next()
  const { oidc } = ctx as { readonly oidc?: { readonly params?: { readonly redirect_uri?: unknown } } }
  const redirectUri = oidc?.params?.redirect_uri
  const target = URL.parse(ctx.response.get('location'))
  if (ctx.path.startsWith(authorization) && target !== null && typeof redirectUri === 'string')
    ctx.set('location', writeAnswer(redirectUri, target))
}

/** @param target - the redirect as the provider writes it: the URI in its own spelling, and for some errors the answer in the fragment */
function writeAnswer(redirectUri: string, target: URL): string {
  const told = [...target.searchParams, ...new URLSearchParams(target.hash.slice(1))].filter(([name]) => ANSWER.has(name))
  const names = new Set(told.map(([name]) => name))
  const [address = '', query = ''] = redirectUri.split(/\?(.*)/s)
  const kept = query.split('&').filter((pair) => pair !== '' && !names.has([...new URLSearchParams(pair).keys()][0] ?? ''))
  return `${address}?${[...kept, String(new URLSearchParams(told))].filter((part) => part !== '').join('&')}`
}

/**
 * Clients of the first revisions name no resource, and some clients no scope, or scopes that are not ours. They get the resource and
 * scopes that they mean.
 */
export function nameDefaults(resources: Resources, { clients }: BrokerPlan): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== BROKER_PATHS.provider.authorization) return next()
    const { resource: identifier, scope, client_id: clientId } = ctx.query
    // What comes twice is refused later.
    if (Array.isArray(identifier) || Array.isArray(scope)) return next()
    const named = identifier === undefined ? resources.sole : resources.find(identifier)
    const client = clients.find(({ id }) => id === clientId)
    const resource = named && narrowToClient(named, client)
    // One spelling inside: what is given for a resource is compared letter by letter.
    if (resource !== undefined) ctx.query = { ...ctx.query, resource: resource.identifier, scope: settleScopes(scope, resource) }
    return next()
  }
}

/** Some clients ask for the whole list that they find in the metadata: it holds the scopes of our servers and nothing else. */
export function curateMetadata(resources: Resources, { clients }: BrokerPlan): Middleware {
  const hasAssertions = listMachineGrants(clients).includes('jwt_bearer')
  return async (ctx, next) => {
    await next()
    const { body } = ctx
    if (!ctx.path.startsWith('/.well-known/') || typeof body !== 'object' || body === null) return
    const metadata = body as Record<string, unknown>
    metadata.scopes_supported = [...resources.scopes]
    metadata.response_modes_supported = ['query']
    delete metadata.claims_supported
    // RFC 8414 §2: without it, clients have to assume client_secret_basic.
    metadata.revocation_endpoint_auth_methods_supported = metadata.token_endpoint_auth_methods_supported
    metadata.introspection_endpoint_auth_methods_supported = metadata.token_endpoint_auth_methods_supported
    // Enterprise-managed authorization: clients look for it here.
    if (hasAssertions) metadata.authorization_grant_profiles_supported = ['urn:ietf:params:oauth:grant-profile:id-jag']
  }
}
