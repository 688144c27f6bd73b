import { hash } from 'node:crypto'
import type { EntryTerms, Store } from '../../core/store.ts'

/** Kinds of entries that name a user, or that lead to what does. Registrations, keys and used assertions are not of them. */
const OF_USERS: ReadonlySet<string> = new Set([
  'Account',
  'AllowedScopes',
  'AuthorizationCode',
  'AwayAccount',
  'AwayUser',
  'AwayVisitor',
  'Grant',
  'Interaction',
  'RefreshToken',
  'Session',
  'SessionUid',
  'UpstreamAccount',
  'Visitor',
])

/** Between the key of an entry and its value. Keys are digests, and have none. */
const SEPARATOR = ' '

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
  // Beside its own key, so that what is listed can be read: entries are encrypted for it.
  const wrap = (kind: string, id: string, value: string) => (OF_USERS.has(kind) ? `${id}${SEPARATOR}${value}` : value)
  const unwrap = (kind: string, value: string | undefined) =>
    value !== undefined && OF_USERS.has(kind) ? value.slice(value.indexOf(SEPARATOR) + 1) : value
  // What a group ends is of its users, too.
  const toTerms = (terms?: EntryTerms): EntryTerms => ({ ...terms, groups: terms?.groups?.map(name) })
  return {
    ...store,
    find: async (kind, id) => unwrap(kind, await store.find(kind, toKey(kind, id))),
    put: (kind, id, value, terms) => store.put(kind, toKey(kind, id), wrap(kind, id, value), toTerms(terms)),
    add: (kind, id, value, terms) => store.add(kind, toKey(kind, id), wrap(kind, id, value), toTerms(terms)),
    replace: (kind, id, expected, value) => store.replace(kind, toKey(kind, id), wrap(kind, id, expected), wrap(kind, id, value)),
    take: async (kind, id, expected) =>
      unwrap(kind, await store.take(kind, toKey(kind, id), expected === undefined ? undefined : wrap(kind, id, expected))),
    async list(kind, most) {
      const entries = await store.list(kind, most)
      if (!OF_USERS.has(kind)) return entries
      const own = entries.map(({ id: key, value }) => {
        const [id = ''] = value.split(SEPARATOR, 1)
        return { key, id, value: unwrap(kind, value) ?? '' }
      })
      return own.filter(({ key, id }) => name(id) === key).map(({ id, value }) => ({ id, value }))
    },
    deleteGroup: (group) => store.deleteGroup(name(group)),
  }
}
