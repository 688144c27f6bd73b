import { resolve } from 'node:path'
import type { IntrospectionPlan, IssuerPlan } from '../../core/plan/issuer-plan.ts'
import { createGrantRule } from '../derive/grant-rule.ts'
import { createGroupsPlan } from '../derive/groups.ts'
import type { IntrospectionConfig, IssuerConfig } from '../schema/issuer.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'
import type { PlanSources } from './egress.ts'
import { createOAuthClientPlan } from './oauth-client.ts'

/** Settles one issuer. */
export function createIssuerPlan(issuer: IssuerConfig, secretsAndFiles: PlanSources): IssuerPlan {
  return {
    issuer: issuer.issuer,
    metadataUrl: issuer.metadata_url,
    jwksUri: issuer.jwks_uri,
    algorithms: issuer.algorithms,
    audienceClaims: issuer.audience_claims,
    scopeClaims: issuer.scope_claims,
    grant: issuer.grant?.map(createGrantRule),
    trustDomain: issuer.spiffe_trust_domain,
    fetchTokenFile: issuer.fetch_token_file && resolve(secretsAndFiles.directory, issuer.fetch_token_file),
    groups: createGroupsPlan(issuer, { kind: undefined, issuer: issuer.issuer, scopes: undefined }),
    clockToleranceSeconds: issuer.clock_tolerance_seconds,
    maxLifetimeSeconds: issuer.max_lifetime_seconds,
    staleKeysSeconds: issuer.stale_keys_seconds,
    refreshKeysSeconds: issuer.refresh_keys_seconds,
    acceptIdTokens: issuer.accept_id_tokens,
    allowPrivateNetwork: issuer.allow_private_network,
    ca: secretsAndFiles.findFile(issuer.ca_file),
    egress: secretsAndFiles.egress,
    introspection: issuer.introspection && createIntrospectionPlan(issuer.introspection, secretsAndFiles),
    logoutClientIds: issuer.backchannel_logout?.client_ids,
  }
}

function createIntrospectionPlan(introspection: IntrospectionConfig, secretsAndFiles: SecretsAndFiles): IntrospectionPlan {
  return {
    endpoint: introspection.endpoint,
    ...createOAuthClientPlan(introspection, secretsAndFiles),
    cacheSeconds: introspection.cache_seconds,
    negativeCacheSeconds: introspection.negative_cache_seconds,
  }
}
