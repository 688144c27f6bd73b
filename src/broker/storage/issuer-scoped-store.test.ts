import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createIssuerScopedStore } from './issuer-scoped-store.ts'

const [ONE, OTHER] = ['https://one.example', 'https://other.example']

const OF_USERS = [
  'Account',
  'AllowedScopes',
  'AuthorizationCode',
  'AwayUser',
  'Grant',
  'Interaction',
  'RefreshToken',
  'Session',
  'SessionUid',
]

describe('a store for the users of an identity provider', () => {
  it.each(OF_USERS)('finds, changes and takes nothing of the users of another one: %s', async (kind) => {
    const store = createMemoryStore()
    const mine = createIssuerScopedStore(store, { issuer: ONE, subjectClaim: 'sub' })
    const others = [
      createIssuerScopedStore(store, { issuer: OTHER, subjectClaim: 'sub' }),
      createIssuerScopedStore(store, { issuer: `${ONE}/`, subjectClaim: 'sub' }),
      // The same provider, but names mean something else: two users may have each other's.
      createIssuerScopedStore(store, { issuer: ONE, subjectClaim: 'id' }),
    ]
    await mine.put(kind, 'alice', 'mine', { groups: ['account:alice'] })
    for (const other of others) {
      expect(await other.find(kind, 'alice')).toBeUndefined()
      expect(await other.take(kind, 'alice')).toBeUndefined()
      expect(await other.replace(kind, 'alice', 'mine', 'theirs')).toBe(false)
      expect(await other.add(kind, 'alice', 'theirs')).toBe(true)
      await other.put(kind, 'alice', 'theirs', { groups: ['account:alice'] })
      await other.deleteGroup('account:alice')
      expect(await other.find(kind, 'alice')).toBeUndefined()
    }
    expect(await mine.add(kind, 'alice', 'again')).toBe(false)
    expect(await mine.replace(kind, 'alice', 'mine', 'still mine')).toBe(true)
    expect(await mine.find(kind, 'alice')).toBe('still mine')
    await mine.deleteGroup('account:alice')
    expect(await mine.find(kind, 'alice')).toBeUndefined()
  })

  it.each(['Client', 'UsedAssertion', 'RevokedToken'])(
    'finds entries without a user after a change of the identity provider: %s',
    async (kind) => {
      const store = createMemoryStore()
      await createIssuerScopedStore(store, { issuer: ONE, subjectClaim: 'sub' }).put(kind, 'id', 'value')
      expect(await createIssuerScopedStore(store, { issuer: OTHER, subjectClaim: 'id' }).find(kind, 'id')).toBe('value')
    },
  )
})
