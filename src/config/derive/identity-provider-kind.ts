import type { IdentityProviderKind } from '../../core/plan/identity-provider-plan.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'
import type { PartialConfig } from '../schema/partial-config.ts'

/** The kind, where the configuration leaves it out. */
export function resolveKind({
  kind,
  oauth,
}: Pick<PartialConfig<IdentityProviderConfig>, 'kind' | 'oauth'>): IdentityProviderKind {
  return kind ?? (oauth === undefined ? 'oidc' : 'oauth')
}
