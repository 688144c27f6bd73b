import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import { DIRECT } from '../../core/plan/egress-plan.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { GroupsPlan, IssuerPlan } from '../../core/plan/issuer-plan.ts'
import { ALGORITHMS } from '../schema/algorithms.ts'
import { broker as brokerSchema } from '../schema/broker.ts'
import type { Config } from '../schema/schema.ts'
import { createClientPlan } from './clients.ts'
import type { PlanSources } from './egress.ts'
import { createIdentityProviderPlan } from './identity-provider.ts'
import { createIssuerPlan } from './issuer.ts'
import { decodeEncryptionKeys } from './storage.ts'

/** Where the broker stands. */
export interface BrokerPlanInputs {
  readonly publicUrl: string
  readonly secretsAndFiles: PlanSources
}

/** Settles the broker; undefined where users sign in at an authorization server themselves. */
export function createBrokerPlan(config: Config, inputs: BrokerPlanInputs): BrokerPlan | undefined {
  const { identity_provider: provider, broker = brokerSchema.parse({}) } = config
  if (provider === undefined) return undefined
  const { publicUrl, secretsAndFiles } = inputs
  const identityProvider = createIdentityProviderPlan(config, provider, inputs)
  return {
    issuer: publicUrl,
    issuerPlan: createOwnIssuerPlan(publicUrl, identityProvider.groups),
    identityProvider,
    logoutIssuer: createLogoutIssuerPlan(identityProvider),
    encryptionKeys: decodeEncryptionKeys(config, secretsAndFiles),
    accessTokenSeconds: broker.access_token_seconds,
    refreshTokenSeconds: broker.refresh_token_seconds,
    refreshGraceSeconds: broker.refresh_grace_seconds,
    grantSeconds: broker.grant_seconds,
    browserSeconds: broker.browser_seconds,
    signingKeySeconds: broker.signing_key_seconds,
    authorizationsPerMinute: broker.authorizations_per_minute,
    tokenRequestsPerMinute: broker.token_requests_per_minute,
    scopeDescriptions: broker.scope_descriptions,
    brand: {
      company: broker.company,
      logo: secretsAndFiles.findImage(broker.logo),
      favicon: secretsAndFiles.findImage(broker.favicon),
    },
    registration: {
      enabled: broker.registration.enabled,
      mostClients: broker.registration.most_clients,
      perMinute: broker.registration.per_minute,
      unusedSeconds: broker.registration.unused_seconds,
      idleSeconds: broker.registration.idle_seconds,
    },
    clientMetadata: {
      enabled: broker.client_metadata.enabled,
      allowPrivateNetwork: broker.client_metadata.allow_private_network,
      ca: secretsAndFiles.findFile(broker.client_metadata.ca_file),
      egress: secretsAndFiles.egress,
    },
    clients: broker.clients.map((client) => createClientPlan(client, secretsAndFiles)),
    assertionIssuers: broker.identity_assertions.issuers.map((issuer) => createIssuerPlan(issuer, secretsAndFiles)),
    tokenExchange: {
      issuers: broker.token_exchange.issuers.map((issuer) => createIssuerPlan(issuer, secretsAndFiles)),
      audiences: broker.token_exchange.audiences,
    },
  }
}

/** Only OpenID Connect has logout tokens. Where each client has an application of its own at Asgardeo, no one audience is ours. */
function createLogoutIssuerPlan(provider: IdentityProviderPlan): IssuerPlan | undefined {
  const { issuer, metadataUrl, groups, allowPrivateNetwork, ca, egress } = provider
  if (provider.oauth !== undefined || provider.asgardeo !== undefined) return undefined
  return {
    ...createOwnIssuerPlan(issuer, groups),
    metadataUrl,
    algorithms: [...ALGORITHMS],
    clockToleranceSeconds: 60,
    staleKeysSeconds: 86_400,
    refreshKeysSeconds: 300,
    allowPrivateNetwork,
    ca,
    egress,
  }
}

/** How tokens of our own are verified: like those of any issuer, with keys that are at hand. */
function createOwnIssuerPlan(issuer: string, groups: GroupsPlan): IssuerPlan {
  return {
    issuer,
    metadataUrl: undefined,
    jwksUri: undefined,
    algorithms: ['ES256'],
    audienceClaims: ['aud'],
    scopeClaims: ['scope'],
    groups,
    // One clock wrote and reads them, or that of a machine which shares the store.
    clockToleranceSeconds: 5,
    maxLifetimeSeconds: undefined,
    staleKeysSeconds: 0,
    refreshKeysSeconds: 3600,
    acceptIdTokens: false,
    allowPrivateNetwork: false,
    ca: undefined,
    // Nothing is fetched: our own keys are at hand.
    egress: DIRECT,
    introspection: undefined,
  }
}
