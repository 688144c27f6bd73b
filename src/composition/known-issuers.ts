import type { KnownIssuer } from '../admin/actions/known-issuers.ts'
import { ACCESS_KEY_ISSUER } from '../core/access-key.ts'
import type { Plan } from '../core/plan/plan.ts'
import { findAcceptedTokens } from './accepted-tokens.ts'

/** That of access keys, which has no tokens of its own. */
const KEYS: KnownIssuer = { issuer: ACCESS_KEY_ISSUER, aliases: ['keys'], longestSeconds: 3600, toleranceSeconds: 0 }

/** Of all servers, each once. */
export function listKnownIssuers(plan: Plan): readonly KnownIssuer[] {
  const { servers, broker } = plan
  const names = new Set(servers.flatMap(({ issuers }) => issuers).map(({ issuer }) => issuer))
  const ofTokens = [...names].flatMap((issuer) => {
    // Users of the broker are known by their identity provider, too, unless a server accepts its own tokens as well.
    const aliases =
      issuer === broker?.issuer && !names.has(broker.identityProvider.issuer) ? [broker.identityProvider.issuer] : []
    const accepted = findAcceptedTokens(plan, issuer)
    return accepted === undefined ? [] : { issuer, aliases, ...accepted }
  })
  return [...ofTokens, KEYS]
}
