import { hashId } from '../core/hash-id.ts'
import type { Principal } from '../core/principal.ts'
import type { Caller } from '../core/upstream-credential.ts'

/** What differs from token to token and says nothing of what one may do: times, ids of the token, internals of Entra ID. */
const OF_ONE_TOKEN: ReadonlySet<string> = new Set(['iat', 'exp', 'nbf', 'jti', 'uti', 'aio', 'rh'])

/** A caller whose token was verified before is the same object, so that this costs a call one look. */
const known = new WeakMap<Principal, string>()

/**
 * Identifies whose calls may use what was issued for a caller: those of the same authority. Without a subject nothing tells its users apart for
 * certain (RFC 7662 §2.2 has `sub` optional): then it is for one token.
 */
export function formatOwner({ principal, token }: Caller): string {
  const authority = formatAuthority(principal)
  return principal.subject === undefined ? `${authority} ${hashId(token)}` : authority
}

/**
 * Identifies what a caller may do: issuer, user, client, scopes and every other claim that is not of one token alone. What was issued for one
 * caller is only used for callers of the same authority: with fewer scopes, another session or other groups it is another one.
 */
function formatAuthority(principal: Principal): string {
  const found = known.get(principal)
  if (found !== undefined) return found
  const { issuer, subject, clientId, scopes, claims } = principal
  const lasting = Object.entries(claims).filter(([name]) => !OF_ONE_TOKEN.has(name))
  const text = JSON.stringify([issuer, subject ?? null, clientId ?? null, [...scopes].sort(), lasting.sort(byName)])
  const authority = hashId(text)
  known.set(principal, authority)
  return authority
}

function byName([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1
}
