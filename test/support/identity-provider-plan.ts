import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { IdentityProviderPlan } from '../../src/core/plan/identity-provider-plan.ts'

/** What a configuration with an issuer and a client alone settles to. */
export function createIdentityProviderPlan(issuer: string, changes: Partial<IdentityProviderPlan> = {}): IdentityProviderPlan {
  return {
    kind: 'oidc',
    name: 'Example ID',
    issuer,
    oauth: undefined,
    clientId: 'broker',
    clientAuthentication: { method: 'client_secret_basic', secret: 'secret' },
    scopes: ['openid'],
    authorizationParameters: {},
    userinfo: true,
    unrefreshedSeconds: 28_800,
    timeoutSeconds: 10,
    asgardeo: undefined,
    accountPrompt: undefined,
    notes: [],
    allow: [],
    grant: [],
    groups: { claim: 'groups', separator: undefined },
    tokenClaims: [],
    allowPrivateNetwork: true,
    ca: undefined,
    egress: DIRECT,
    ...changes,
  }
}
