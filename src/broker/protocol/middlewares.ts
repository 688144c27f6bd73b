import type { Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import { listMachineGrants } from '../clients/configured-clients.ts'
import { narrowToClient, type Resources, settleScopes } from '../clients/resources.ts'

export type Middleware = Parameters<Provider['use']>[0]

/** Whether an answer is an error of OAuth with this code. */
export function isErrorOf(body: unknown, error: string): body is { error: string; error_description?: unknown } {
  return typeof body === 'object' && body !== null && 'error' in body && body.error === error
}

/**
 * Fills in the resource and the scopes of a request. Clients of the first revisions name no resource, and some clients name no scope, or
 * scopes that are not ours.
 */
export function nameDefaults(resources: Resources, { clients }: BrokerPlan): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== BROKER_PATHS.provider.authorization) return next()
    const { resource: identifier, scope, client_id: clientId } = ctx.query
    // A parameter that is sent twice is refused later.
    if (Array.isArray(identifier) || Array.isArray(scope)) return next()
    const named = identifier === undefined ? resources.sole : resources.find(identifier)
    const client = clients.find(({ id }) => id === clientId)
    const resource = named && narrowToClient(named, client)
    // One spelling inside: the library compares resources letter by letter.
    if (resource !== undefined) ctx.query = { ...ctx.query, resource: resource.identifier, scope: settleScopes(scope, resource) }
    return next()
  }
}

/** Lists the scopes of our servers in the metadata, and no others: some clients ask for the whole list. */
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
