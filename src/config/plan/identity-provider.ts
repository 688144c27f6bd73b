import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { describeKind } from '../../identity/kinds.ts'
import { createGrantRule } from '../derive/grant-rule.ts'
import { createGroupsPlan } from '../derive/groups.ts'
import { resolveKind } from '../derive/identity-provider-kind.ts'
import { createEndpoints } from '../derive/open-to.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'
import { createAsgardeoPlan } from './asgardeo.ts'
import type { PlanSources } from './egress.ts'

/** Settles whom users sign in with: what the configuration says, and for the rest what its kind says. */
export function createIdentityProviderPlan(
  config: Config,
  provider: IdentityProviderConfig,
  { publicUrl, secretsAndFiles }: { readonly publicUrl: string; readonly secretsAndFiles: PlanSources },
): IdentityProviderPlan {
  const kind = resolveKind(provider)
  const asgardeo = createAsgardeoPlan(config, provider, { publicUrl, secretsAndFiles })
  const described = describeKind(kind, { ...provider, oauth: createEndpoints(provider) })
  const scopes = [...new Set([...(provider.scopes ?? described.scopes), ...(asgardeo?.api?.scopes ?? [])])]
  const method = provider.client_authentication ?? described.clientAuthentication
  return {
    kind,
    name: provider.name ?? described.name,
    issuer: described.issuer,
    metadataUrl: provider.metadata_url,
    oauth: described.oauth,
    // Of an application that is yet to be made, nothing is known.
    clientId: provider.client_id ?? '',
    clientAuthentication:
      asgardeo === undefined ? createClientAuthentication(method, provider, secretsAndFiles) : { method: 'none' },
    scopes,
    authorizationParameters: { ...described.authorizationParameters, ...provider.authorization_parameters },
    userinfo: provider.userinfo ?? described.userinfo ?? true,
    unrefreshedSeconds: provider.unrefreshed_seconds,
    timeoutSeconds: provider.timeout_seconds,
    accountPrompt: described.accountPrompt,
    asgardeo,
    notes: described.notes,
    allowPrivateNetwork: provider.allow_private_network,
    ca: secretsAndFiles.findFile(provider.ca_file),
    egress: secretsAndFiles.egress,
    openTo: provider.allow.length > 0 ? undefined : described.openTo,
    allow: described.allow ?? provider.allow,
    grant: provider.grant?.map(createGrantRule),
    groups: createGroupsPlan(provider, { kind, issuer: described.issuer, scopes }),
    keepsIdTokens: config.servers.some(exchangesIdTokens),
    tokenClaims: provider.token_claims,
  }
}

/** Whether a server of the broker gets something in exchange for the ID tokens of its users. */
function exchangesIdTokens({ issuers, credential: { kind, subject_token_type: type } }: ServerConfig): boolean {
  if (issuers !== undefined) return false
  return (kind === 'identity_assertion' && type !== 'access_token') || (kind === 'token_exchange' && type === 'id_token')
}

function createClientAuthentication(
  method: 'client_secret_basic' | 'client_secret_post' | 'none',
  provider: IdentityProviderConfig,
  secretsAndFiles: SecretsAndFiles,
): IdentityProviderPlan['clientAuthentication'] {
  if (method === 'none') return { method }
  const secret = secretsAndFiles.findSecret(provider.client_secret)
  if (secret === undefined) throw new Error('the secret has not been checked')
  return { method, secret }
}
