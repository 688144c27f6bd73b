import type { Claims } from '../../core/claim-condition.ts'
import type { GroupsPlan } from '../../core/plan/issuer-plan.ts'
import type { Principal } from '../../core/principal.ts'
import { freezeDeep } from '../../oauth/claims.ts'
import { readGroups } from '../../oauth/groups.ts'
import { type AddClaims, GRANT_CLAIM, SUBJECT_GRANT_CLAIM } from './revocation.ts'

/** What a token says of itself. Nothing that the identity provider calls so is taken for it, also where the token has no such claim. */
const OF_TOKEN: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'azp',
  'scope',
  'scp',
  'cnf',
  'act',
  'may_act',
  GRANT_CLAIM,
  SUBJECT_GRANT_CLAIM,
])

interface UserClaimsPlan {
  readonly groups: GroupsPlan
  /** Claims of the user that tokens carry, as they were when the token was issued. */
  readonly tokenClaims: readonly string[]
}

/**
 * Makes principals hold what the identity provider says of their users now, so that policy can look at it although tokens are small.
 * Claims that a token carries of its user give way to those of now, also where there are none any more.
 *
 * @returns what is computed once for each token and each change of the claims
 */
export function createClaimsOfUsers(plan: UserClaimsPlan): AddClaims {
  const made = new WeakMap<Principal, { readonly from: Claims; readonly principal: Principal }>()
  return (ofToken, claims) => {
    const known = made.get(ofToken)
    if (known?.from === claims) return known.principal
    const principal = addUserClaims(ofToken, claims, plan)
    made.set(ofToken, { from: claims, principal })
    return principal
  }
}

function addUserClaims(ofToken: Principal, user: Claims, { groups, tokenClaims }: UserClaimsPlan): Principal {
  const own = Object.entries(ofToken.claims).filter(([name]) => OF_TOKEN.has(name) || !tokenClaims.includes(name))
  const ofUser = Object.entries(user).filter(([name]) => !OF_TOKEN.has(name))
  const claims = freezeDeep(Object.fromEntries([...ofUser, ...own]))
  const { groupsUnknown: _, ...principal } = ofToken
  return Object.freeze({ ...principal, claims, ...readGroups(claims, groups) })
}
