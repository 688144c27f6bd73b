import type { IdentityProviderKind } from '../../core/plan/identity-provider-plan.ts'
import type { GroupsPlan } from '../../core/plan/issuer-plan.ts'
import { describeGroups } from '../../identity/kinds.ts'

/** What a configuration says of groups. */
export interface GroupsConfig {
  readonly groups_claim?: string | undefined
  readonly groups_separator?: string | undefined
}

/** Who names the groups. */
export interface GroupsSource {
  /** Undefined where only the issuer is known. */
  readonly kind: IdentityProviderKind | undefined
  readonly issuer: string
  /** What is asked for; undefined where that is not up to us. */
  readonly scopes: readonly string[] | undefined
}

/** Resolves where groups are. A configuration that names the claim needs no advice. */
export function createGroupsPlan(
  { groups_claim: claim, groups_separator: separator }: GroupsConfig,
  { kind, issuer, scopes }: GroupsSource,
): GroupsPlan {
  if (claim !== undefined) return { claim, separator }
  const described = describeGroups(kind, issuer)
  const { scope } = described
  const ofScope = scopes === undefined || scope === undefined || scopes.includes(scope) ? [] : [`Add ${scope} to \`scopes\`.`]
  const setup = [...ofScope, ...(described.setup === undefined ? [] : [described.setup])].join(' ')
  return { claim: described.claim, separator, ...(setup !== '' && { setup }) }
}
