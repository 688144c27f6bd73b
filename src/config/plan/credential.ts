import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { DelegationPlan, TokenIssuerPlan } from '../../core/plan/delegation-plan.ts'
import type { AccountClientPlan, OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { UpstreamCredentialPlan } from '../../core/upstream-credential.ts'
import { findCallersIssuer } from '../derive/callers-issuer.ts'
import { nameServer } from '../derive/endpoints.ts'
import type { CredentialConfig, DELEGATED_CREDENTIALS, TokenIssuerConfig } from '../schema/credential.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { ServerConfig, UpstreamConfig } from '../schema/server.ts'
import type { PlanSources } from './egress.ts'
import { createOAuthClientPlan } from './oauth-client.ts'

/** What a credential takes from the rest of the configuration. */
export interface CredentialInputs {
  readonly issuers: readonly IssuerConfig[]
  readonly broker: BrokerPlan | undefined
  readonly secretsAndFiles: PlanSources
  /** What an MCP server gets from us; names in lower case. */
  readonly formatHeaders: (upstream: UpstreamConfig) => Readonly<Record<string, string>>
}

/** Two keys say it, and a configuration that uses both is a mistake (`check/credential.ts`). */
export function createCredentialPlan(server: ServerConfig, inputs: CredentialInputs): UpstreamCredentialPlan {
  if (server.forward_access_token) return { kind: 'access_token' }
  const { credential } = server
  switch (credential.kind) {
    case 'none':
    case 'access_token':
      return { kind: credential.kind }
    case 'identity_provider_token':
      return { kind: 'identity_provider' }
    case 'own_account':
      return { kind: 'own_account', account: createOwnAccountPlan(credential, server, inputs) }
    default:
      return { kind: 'delegated', delegation: createDelegationPlan({ ...credential, kind: credential.kind }, server, inputs) }
  }
}

function createOwnAccountPlan(
  credential: CredentialConfig,
  server: ServerConfig,
  { broker, secretsAndFiles, formatHeaders }: CredentialInputs,
): OwnAccountPlan {
  const { upstream } = server
  if (upstream?.url === undefined) throw new Error('the MCP server of the credential has not been checked')
  return {
    server: nameServer(server),
    upstreamUrl: upstream.url,
    headers: formatHeaders(upstream),
    issuer: credential.issuer,
    reservedOrigins:
      broker === undefined ? [] : [broker.issuer, broker.identityProvider.issuer].map((url) => new URL(url).origin),
    client: createAccountClientPlan(credential, secretsAndFiles),
    scopes: credential.scopes,
    allowPrivateNetwork: credential.allow_private_network,
    ca: secretsAndFiles.findFile(credential.ca_file ?? upstream.ca_file),
    egress: secretsAndFiles.egress,
  }
}

/** Without a secret it is a public client, and without an id the proxy makes itself known. */
function createAccountClientPlan(credential: CredentialConfig, secretsAndFiles: PlanSources): AccountClientPlan | undefined {
  const { client_id: clientId, client_secret: secret, client_authentication: method } = credential
  if (clientId === undefined) return undefined
  if (secret === undefined && method !== 'private_key_jwt') return { clientId, clientAuthentication: { method: 'none' } }
  return createOAuthClientPlan({ ...credential, client_id: clientId }, secretsAndFiles)
}

type DelegatedConfig = CredentialConfig & { readonly kind: (typeof DELEGATED_CREDENTIALS)[number] }

function createDelegationPlan(credential: DelegatedConfig, server: ServerConfig, inputs: CredentialInputs): DelegationPlan {
  const { kind, audience: audiences, resource: resources, scopes, subject_token_type: subjectTokenType } = credential
  const common = { audiences, resources, scopes, server: createServerPlan(credential, server, inputs) }
  switch (kind) {
    case 'token_exchange':
      return { ...common, kind, subjectTokenType: subjectTokenType ?? 'access_token' }
    case 'identity_assertion': {
      const identityProvider = createProviderPlan(credential.identity_provider, inputs)
      const own = server.upstream?.url ?? server.sse?.upstream?.url
      const target = resources.length > 0 || own === undefined ? resources : [own]
      return { ...common, kind, resources: target, identityProvider, subjectTokenType: subjectTokenType ?? 'id_token' }
    }
    default:
      return { ...common, kind }
  }
}

/** The authorization server that issues the token; where none is named, that of the callers. */
function createServerPlan(credential: DelegatedConfig, server: ServerConfig, inputs: CredentialInputs): TokenIssuerPlan {
  const { issuers, broker } = inputs
  if (credential.issuer !== undefined) return createTokenIssuerPlan(credential, inputs)
  const identityProvider = broker?.identityProvider
  const callers = findCallersIssuer({ issuers, hasProvider: broker !== undefined }, server)
  if (callers.kind === 'identity_provider' && identityProvider !== undefined) {
    const { issuer, metadataUrl, allowPrivateNetwork, ca } = identityProvider
    return { ...createTokenIssuerPlan({ ...credential, issuer }, inputs), metadataUrl, allowPrivateNetwork, ca }
  }
  if (callers.kind !== 'issuer') throw new Error('the issuer of the credential has not been checked')
  const { issuer, metadata_url, allow_private_network = false, ca_file } = callers.issuer
  return createTokenIssuerPlan({ ...credential, issuer, metadata_url, allow_private_network, ca_file }, inputs)
}

function createProviderPlan(provider: TokenIssuerConfig | undefined, inputs: CredentialInputs): TokenIssuerPlan {
  if (provider !== undefined) return createTokenIssuerPlan(provider, inputs)
  const own = inputs.broker?.identityProvider
  if (own === undefined || own.clientAuthentication.method === 'none')
    throw new Error('the identity provider of the credential has not been checked')
  const { issuer, metadataUrl, clientId, clientAuthentication, allowPrivateNetwork, ca, egress } = own
  return { issuer, metadataUrl, tokenEndpoint: undefined, clientId, clientAuthentication, allowPrivateNetwork, ca, egress }
}

function createTokenIssuerPlan(server: TokenIssuerConfig, { secretsAndFiles }: CredentialInputs): TokenIssuerPlan {
  const { issuer, client_id } = server
  if (issuer === undefined || client_id === undefined) throw new Error('the credential has not been checked')
  return {
    issuer,
    metadataUrl: server.metadata_url,
    tokenEndpoint: server.token_endpoint,
    allowPrivateNetwork: server.allow_private_network,
    ca: secretsAndFiles.findFile(server.ca_file),
    egress: secretsAndFiles.egress,
    ...createOAuthClientPlan({ ...server, client_id }, secretsAndFiles),
  }
}
