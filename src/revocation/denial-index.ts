import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Denial, DeniedKind } from '../core/deny-list.ts'
import type { Principal } from '../core/principal.ts'
import { formatDeniedKey } from './denial-entry.ts'

/** Denials by what they deny. */
export interface DenialIndex {
  find(principal: Principal): Denial | undefined
  list(): readonly Denial[]
  replace(denials: readonly Denial[]): void
}

/** Whom nothing denies is remembered until the next change, so that a call costs one look, and none where nothing is denied. */
export function createDenialIndex(clock: Clock): DenialIndex {
  let byKey: ReadonlyMap<string, readonly Denial[]> = new Map()
  let permitted = new WeakSet<Principal>()
  const isInForce = ({ expiresAt }: Denial): boolean => expiresAt === undefined || clock.wall() < expiresAt
  return {
    find(principal) {
      if (byKey.size === 0 || permitted.has(principal)) return undefined
      const found = namesOf(principal)
        .flatMap(([kind, value]) => byKey.get(formatDeniedKey(kind, principal.issuer, value)) ?? [])
        .find((denial) => isInForce(denial) && concerns(denial, principal))
      if (found === undefined) permitted.add(principal)
      return found
    },
    list: () => [...byKey.values()].flat().filter(isInForce),
    replace(denials) {
      byKey = Map.groupBy(denials, ({ kind, issuer, value }) => formatDeniedKey(kind, issuer, value))
      permitted = new WeakSet()
    },
  }
}

/** What a principal can be denied by. Where a token has no subject, the user has a name (RFC 7662 §2.2). */
function namesOf({ subject, clientId, claims }: Principal): (readonly [DeniedKind, string])[] {
  const { jti, sid, username, grant_id: grantId, subject_grant_id: subjectGrantId } = claims
  const names: readonly (readonly [DeniedKind, unknown])[] = [
    ['user', subject ?? username],
    ['client', clientId],
    ['token', jti],
    ['session', sid],
    ['session', nameGrant(grantId)],
    ['session', nameGrant(subjectGrantId)],
  ]
  return names.filter((name): name is readonly [DeniedKind, string] => typeof name[1] === 'string')
}

/** A grant of the broker, by the name that it has in the store. */
function nameGrant(id: unknown): string | undefined {
  return typeof id === 'string' ? hash('sha256', id, 'base64url') : undefined
}

/** A token that does not say when it was issued may be older than any time. */
function concerns({ issuedBefore }: Denial, { claims: { iat } }: Principal): boolean {
  return issuedBefore === undefined || typeof iat !== 'number' || iat < issuedBefore
}
