import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Denial, DeniedKind } from '../core/deny-list.ts'
import type { Principal } from '../core/principal.ts'
import { findEntryId, formatDeniedKey } from './denial-entry.ts'

/** Denials by what they deny. */
export interface DenialIndex {
  find(principal: Principal): Denial | undefined
  list(): readonly Denial[]
  /** @param unreadable - ids of entries that are there and cannot be read */
  replace(denials: readonly Denial[], unreadable: ReadonlySet<string>): void
}

/** Whom nothing denies is remembered until the next change, so that a call costs one look, and none where nothing is denied. */
export function createDenialIndex(clock: Clock): DenialIndex {
  let byKey: ReadonlyMap<string, readonly Denial[]> = new Map()
  let unreadable: ReadonlySet<string> = new Set()
  let permitted = new WeakSet<Principal>()
  const isInForce = ({ expiresAt }: Denial): boolean => expiresAt === undefined || clock.wall() < expiresAt
  return {
    find(principal) {
      if ((byKey.size === 0 && unreadable.size === 0) || permitted.has(principal)) return undefined
      const names = namesOf(principal)
      const found =
        names
          .flatMap(([kind, value]) => byKey.get(formatDeniedKey(kind, principal.issuer, value)) ?? [])
          .find((denial) => isInForce(denial) && concerns(denial, principal)) ??
        findUnreadable(names, principal.issuer, unreadable)
      if (found === undefined) permitted.add(principal)
      return found
    },
    list: () => [...byKey.values()].flat().filter(isInForce),
    replace(denials, ids) {
      unreadable = ids
      byKey = Map.groupBy(denials, ({ kind, issuer, value }) => formatDeniedKey(kind, issuer, value))
      permitted = new WeakSet()
    },
  }
}

type DeniedName = readonly [DeniedKind, string]

/** What cannot be read, since it is under a key of other processes, may refuse any token of whom it is about: its id says of whom. */
function findUnreadable(names: readonly DeniedName[], issuer: string, unreadable: ReadonlySet<string>): Denial | undefined {
  if (unreadable.size === 0) return undefined
  return names
    .flatMap(([kind, value]) =>
      [undefined, 0].map((issuedBefore) => ({ kind, issuer, value, issuedBefore, expiresAt: undefined })),
    )
    .find((denial) => unreadable.has(findEntryId(denial)))
}

/** What a principal can be denied by. Where a token has no subject, the user has a name (RFC 7662 §2.2). */
function namesOf({ subject, clientId, claims }: Principal): DeniedName[] {
  const { jti, sid, username, grant_id: grantId, subject_grant_id: subjectGrantId } = claims
  const names: readonly (readonly [DeniedKind, unknown])[] = [
    ['user', subject ?? username],
    ['client', clientId],
    ['token', jti],
    ['session', sid],
    ['session', nameGrant(grantId)],
    ['session', nameGrant(subjectGrantId)],
  ]
  return names.filter((name): name is DeniedName => typeof name[1] === 'string')
}

/** A grant of the broker, by the name that it has in the store. */
function nameGrant(id: unknown): string | undefined {
  return typeof id === 'string' ? hash('sha256', id, 'base64url') : undefined
}

/**
 * A token that does not say when it was issued may be older than any time. An access key is no token of a sign-in that is over: what is to
 * end with its user is revoked by itself.
 */
function concerns({ issuedBefore }: Denial, { accessKey, claims: { iat } }: Principal): boolean {
  if (accessKey !== undefined) return issuedBefore === undefined
  return issuedBefore === undefined || typeof iat !== 'number' || iat < issuedBefore
}
