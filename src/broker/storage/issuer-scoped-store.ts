import { hash } from 'node:crypto'
import type { EntryTerms, Store } from '../../core/store.ts'

/** Kinds of entries that name a user, or that lead to what does. Registrations, keys and used assertions are not of them. */
const OF_USERS: ReadonlySet<string> = new Set([
  'Account',
  'AuthorizationCode',
  'AwayUser',
  'Consent',
  'Grant',
  'Interaction',
  'RefreshToken',
  'Session',
  'SessionUid',
])

/** Whose users they are, and the claim that identifies them. */
interface UserSource {
  readonly issuer: string
  readonly subjectClaim: string
}

/**
 * A store in which users of one identity provider are never found as those of another: a subject is unique within its issuer only
 * (OpenID Connect Core §5.7), and what one provider gave must not be shown to another. After a change of the provider there are no users.
 */
export function createIssuerScopedStore(store: Store, { issuer, subjectClaim }: UserSource): Store {
  const users = JSON.stringify([issuer, subjectClaim])
  const name = (id: string) => hash('sha256', JSON.stringify([users, id]), 'base64url')
  const toKey = (kind: string, id: string) => (OF_USERS.has(kind) ? name(id) : id)
  // What a group ends is of its users, too.
  const toTerms = (terms?: EntryTerms): EntryTerms => ({ ...terms, groups: terms?.groups?.map(name) })
  return {
    ...store,
    find: (kind, id) => store.find(kind, toKey(kind, id)),
    put: (kind, id, value, terms) => store.put(kind, toKey(kind, id), value, toTerms(terms)),
    add: (kind, id, value, terms) => store.add(kind, toKey(kind, id), value, toTerms(terms)),
    replace: (kind, id, expected, value) => store.replace(kind, toKey(kind, id), expected, value),
    take: (kind, id, expected) => store.take(kind, toKey(kind, id), expected),
    deleteGroup: (group) => store.deleteGroup(name(group)),
  }
}
