import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { IntrospectionPlan, IssuerPlan } from '../../src/core/plan/issuer-plan.ts'

/** The plan of an issuer with the defaults of the configuration, for tests that need no configuration file. */
export function createIssuerPlan(issuer: string, differences: Partial<IssuerPlan> = {}): IssuerPlan {
  return {
    issuer,
    metadataUrl: undefined,
    jwksUri: undefined,
    algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
    audienceClaims: ['aud'],
    groups: { claim: 'groups', separator: undefined },
    scopeClaims: ['scope', 'scp'],
    clockToleranceSeconds: 30,
    maxLifetimeSeconds: undefined,
    staleKeysSeconds: 86_400,
    refreshKeysSeconds: 300,
    acceptIdTokens: false,
    allowPrivateNetwork: false,
    ca: undefined,
    egress: DIRECT,
    introspection: undefined,
    ...differences,
  }
}

/** Introspection with a client secret at the endpoint that the metadata names. */
export function createIntrospectionPlan(differences: Partial<IntrospectionPlan> = {}): IntrospectionPlan {
  return {
    endpoint: undefined,
    clientId: 'proxy',
    clientAuthentication: { method: 'client_secret_basic', secret: 's3cr3t/+ &' },
    cacheSeconds: 60,
    negativeCacheSeconds: 10,
    ...differences,
  }
}
