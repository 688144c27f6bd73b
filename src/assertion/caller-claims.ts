import { isVerified, readClaim } from '../core/claim-condition.ts'
import type { Principal } from '../core/principal.ts'

/**
 * What a principal's verified token, or its identity provider, says under a name that the configuration chose. The three names that rules
 * know mean the same here as in rules: `groups` are those of the principal, `email` counts only where it is verified.
 *
 * @returns undefined for a claim that is absent, not known or not verified
 */
export function findCallerClaim(principal: Principal, issuer: string, name: string): unknown {
  switch (name) {
    case 'sub':
      return nameCaller(principal, issuer)
    case 'iss':
      return principal.issuer
    case 'client_id':
      return principal.clientId
    case 'scope':
      return formatScopes(principal)
    case 'groups':
      return principal.groupsUnknown === undefined ? principal.groups : undefined
    case 'email':
      return isVerified(principal.claims) ? readClaim(principal.claims, name) : undefined
    default:
      return readClaim(principal.claims, name) ?? undefined
  }
}

/**
 * A name for the subject that no other subject has, whatever issuers are configured (RFC 7519 §4.1.2). Users of our own authorization server keep
 * theirs, those of other issuers carry their issuer, as subjects of exchanged tokens do.
 *
 * @param issuer - our own
 */
export function nameCaller({ issuer: from, subject }: Principal, issuer: string): string | undefined {
  if (subject === undefined) return undefined
  return from === issuer && !LOOKS_FOREIGN.test(subject) ? subject : `${from}|${subject}`
}

/** A subject of ours that could be taken for one of another issuer: identifiers of issuers have a colon, and no `|` (`config/format/formats.ts`). */
const LOOKS_FOREIGN = /^[^|]*:[^|]*\|/

export function formatScopes({ scopes }: Principal): string | undefined {
  return scopes.size === 0 ? undefined : [...scopes].sort().join(' ')
}
