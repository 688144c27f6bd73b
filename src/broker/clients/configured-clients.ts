import type { ClientMetadata } from 'oidc-provider'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { ClientGrant, ClientPlan } from '../../core/plan/client-plan.ts'
import { isWebClient } from '../../core/redirect-uris.ts'

/** Names of the grants on the wire (RFC 6749 §4.4.2, RFC 7523 §2.1, RFC 8693 §2.1). */
export const GRANT_TYPES = {
  client_credentials: 'client_credentials',
  jwt_bearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
} as const

export type MachineGrant = keyof typeof GRANT_TYPES

/** What a client that is known beforehand tells the provider of itself. */
export function describeClient(client: ClientPlan): ClientMetadata {
  const hasUsers = client.grants.includes('authorization_code')
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: [...client.redirectUris],
    application_type: isWebClient(client.redirectUris) ? 'web' : 'native',
    grant_types: client.grants.flatMap(listTypes),
    response_types: hasUsers ? ['code'] : [],
    ...describeAuthentication(client),
  }
}

function listTypes(grant: ClientGrant): readonly string[] {
  return grant === 'authorization_code' ? ['authorization_code', 'refresh_token'] : [GRANT_TYPES[grant]]
}

function describeAuthentication({ authentication: how }: ClientPlan): Partial<ClientMetadata> {
  if (how.method === 'none') return { token_endpoint_auth_method: 'none' }
  if (how.method === 'client_secret') return { token_endpoint_auth_method: 'client_secret_basic', client_secret: how.secret }
  const keys = 'keys' in how ? { jwks: { keys: how.keys.map((key) => ({ ...key })) } } : { jwks_uri: how.jwksUri }
  return { token_endpoint_auth_method: 'private_key_jwt', ...keys } as Partial<ClientMetadata>
}

/** Grants for machines that at least one client may use; all others are unsupported. */
export function listMachineGrants(clients: readonly ClientPlan[]): MachineGrant[] {
  const used = new Set(clients.flatMap(({ grants }) => grants))
  return (Object.keys(GRANT_TYPES) as MachineGrant[]).filter((grant) => used.has(grant))
}

/** Where such clients publish their keys, as the configuration says. */
export function listKeyUrls(clients: readonly ClientPlan[]): ReadonlySet<string> {
  return new Set(clients.flatMap(({ authentication: how }) => ('jwksUri' in how ? [how.jwksUri] : [])))
}

/** Clients that may introspect all tokens (RFC 7662): those that share a secret with us and have users of their own. */
export function listIntrospectors({ clients }: BrokerPlan): ReadonlySet<string> {
  const able = clients.filter(
    ({ authentication, grants }) => authentication.method === 'client_secret' && grants.includes('authorization_code'),
  )
  return new Set(able.map(({ id }) => id))
}
