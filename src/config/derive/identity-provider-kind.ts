import type { IdentityProviderKind } from '../../core/plan/identity-provider-plan.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'
import type { Draft } from '../schema/partial-config.ts'

/** The kind, where the configuration leaves it out. */
export function settleKind({ kind, oauth }: Pick<Draft<IdentityProviderConfig>, 'kind' | 'oauth'>): IdentityProviderKind {
  return kind ?? (oauth === undefined ? 'oidc' : 'oauth')
}
