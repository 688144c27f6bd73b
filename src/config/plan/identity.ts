import type { AssertionPlan, IdentityPlan, NamedClaim } from '../../core/plan/identity-plan.ts'
import type { IdentityConfig } from '../schema/identity.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'
import { isProcess } from './process.ts'

/** Settles how an MCP server is told who calls. */
export function createIdentityPlan(
  { identity, upstream }: ServerConfig,
  publicUrl: string,
  secretsAndFiles: SecretsAndFiles,
): IdentityPlan | undefined {
  if (identity === undefined) return undefined
  if (isProcess(upstream))
    return { assertion: undefined, plainHeaders: [], metaClaims: identity.claims, variables: listClaims(identity.env) }
  return {
    metaClaims: undefined,
    variables: [],
    assertion: identity.assertion ? createAssertionPlan(identity, publicUrl, secretsAndFiles) : undefined,
    plainHeaders: listClaims(identity.headers).map(({ name, claim }) => ({ name: name.toLowerCase(), claim })),
  }
}

function listClaims(sources: IdentityConfig['headers']): NamedClaim[] {
  return Object.entries(sources).map(([name, { claim }]) => ({ name, claim }))
}

function createAssertionPlan(identity: IdentityConfig, issuer: string, { findSecret }: SecretsAndFiles): AssertionPlan {
  const { audience, header, seconds, claims, operation, key, other_keys: others } = identity
  const references = key === undefined ? undefined : [key, ...others]
  return {
    issuer,
    audience,
    header: header.toLowerCase(),
    seconds,
    claims,
    operation,
    keys: references?.map((reference) => ({ privateKey: findSecret(reference) ?? '' })),
  }
}
