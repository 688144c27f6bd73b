import { resolve } from 'node:path'
import type { IntrospectionPlan, IssuerPlan } from '../../core/plan/issuer-plan.ts'
import { createGrantRule } from '../derive/grant-rule.ts'
import { createGroupsPlan } from '../derive/groups.ts'
import { listKeyAlgorithms, parsePrivateKey } from '../format/key-material.ts'
import type { IntrospectionConfig, IssuerConfig } from '../schema/issuer.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'
import type { PlanSources } from './egress.ts'

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
    clientId: introspection.client_id,
    clientAuthentication: createClientAuthentication(introspection, secretsAndFiles),
    cacheSeconds: introspection.cache_seconds,
    negativeCacheSeconds: introspection.negative_cache_seconds,
  }
}

function createClientAuthentication(
  introspection: IntrospectionConfig,
  secretsAndFiles: SecretsAndFiles,
): IntrospectionPlan['clientAuthentication'] {
  const method = introspection.client_authentication
  if (method !== 'private_key_jwt') return { method, secret: read(introspection.client_secret, secretsAndFiles) }
  const key = parsePrivateKey(read(introspection.private_key, secretsAndFiles))
  const algorithm = introspection.algorithm ?? (key && listKeyAlgorithms(key)[0])
  if (key === undefined || algorithm === undefined) throw new Error('the private key has not been checked')
  return {
    method,
    // Always exported as PEM, whatever its original format.
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    algorithm,
    keyId: introspection.key_id,
  }
}

function read(reference: IntrospectionConfig['client_secret'], secretsAndFiles: SecretsAndFiles): string {
  const secret = secretsAndFiles.findSecret(reference)
  if (secret === undefined) throw new Error('the secret has not been checked')
  return secret
}
