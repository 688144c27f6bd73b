import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Denial } from '../core/deny-list.ts'
import { createEncryption } from '../core/encryption.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Store } from '../core/store.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { openDenyList } from './deny-list.ts'
import { createDenyVerifier } from './deny-verifier.ts'

const ISSUER = 'https://idp.example.com'
const encryption = createEncryption([Buffer.alloc(32, 1)])

function principal(claims: Record<string, unknown>, issuer = ISSUER): Principal {
  const { sub, client_id: clientId } = claims
  return {
    issuer,
    subject: sub as string | undefined,
    clientId: clientId as string | undefined,
    scopes: new Set(),
    groups: [],
    assurance: 'audience',
    expiresAt: 0,
    acceptedUntil: 0,
    claims,
  }
}

const denial = (of: Partial<Denial>): Denial => ({
  ...{ kind: 'user', issuer: ISSUER, value: 'alice', issuedBefore: undefined, expiresAt: undefined },
  ...of,
})

/** A store of which the questions are counted, and which can be away. */
function createCountedStore(clock = createFakeClock()) {
  const store = createMemoryStore(clock)
  const asked: string[] = []
  const state = { isAway: false }
  const ask = async <T>(kind: string, answer: () => Promise<T>): Promise<T> => {
    asked.push(kind)
    if (state.isAway) throw new Error('it is away')
    return answer()
  }
  const counted: Store = {
    ...store,
    find: (kind, id) => ask(`find ${kind}`, () => store.find(kind, id)),
    list: (kind, most) => ask(`list ${kind}`, () => store.list(kind, most)),
  }
  return { store: counted, asked, state, clock }
}

async function open(parts = createCountedStore(), keys: typeof encryption | undefined = encryption) {
  const issues: string[] = []
  const changes: number[] = []
  const list = await openDenyList({
    ...{ store: parts.store, clock: parts.clock, encryption: keys },
    onChange: () => changes.push(1),
    onIssue: (message) => issues.push(message),
  })
  return { ...parts, list, issues, changes }
}

/** Lets what a timer began come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

const hashOf = (id: string) => hash('sha256', id, 'base64url')

describe('the deny list', () => {
  it.each<[string, Partial<Denial>, Record<string, unknown>]>([
    ['a user', { kind: 'user', value: 'alice' }, { sub: 'alice' }],
    ['a user whose tokens have a name alone', { kind: 'user', value: 'alice' }, { username: 'alice' }],
    ['a client', { kind: 'client', value: 'app' }, { sub: 'bob', client_id: 'app' }],
    ['a token', { kind: 'token', value: 'id-1' }, { sub: 'bob', jti: 'id-1' }],
    ['a session', { kind: 'session', value: 's-1' }, { sub: 'bob', sid: 's-1' }],
    ['a grant', { kind: 'session', value: hashOf('g-1') }, { sub: 'bob', grant_id: 'g-1' }],
    ['a grant behind an exchanged token', { kind: 'session', value: hashOf('g-1') }, { subject_grant_id: 'g-1' }],
  ])('refuses the tokens of %s, and of no other issuer', async (_name, of, claims) => {
    const { list } = await open()
    await list.add([denial(of)], 'operator')
    expect(list.find(principal(claims))).toMatchObject(of)
    expect(list.find(principal(claims, 'https://other.example.com'))).toBeUndefined()
    expect(list.find(principal({ sub: 'else', client_id: 'else', jti: 'else', sid: 'else' }))).toBeUndefined()
  })

  it('takes no value of one kind for another', async () => {
    const { list } = await open()
    await list.add([denial({ kind: 'token', value: 'x' })], 'operator')
    expect(list.find(principal({ sub: 'x', client_id: 'x', sid: 'x' }))).toBeUndefined()
    expect(list.find(principal({ jti: ['x'] }))).toBeUndefined()
  })

  it('refuses old tokens, and those that do not say how old they are', async () => {
    const { list } = await open()
    await list.add([denial({ issuedBefore: 1000 })], 'operator')
    expect(list.find(principal({ sub: 'alice', iat: 999 }))).toBeDefined()
    expect(list.find(principal({ sub: 'alice', iat: 1000 }))).toBeUndefined()
    expect(list.find(principal({ sub: 'alice' }))).toBeDefined()
    expect(list.find(principal({ sub: 'alice', iat: '1000' }))).toBeDefined()
  })

  it('ends a denial with its time, and never one without', async () => {
    const { list, clock } = await open()
    await list.add([denial({ value: 'a', expiresAt: clock.wall() + 1000 }), denial({ value: 'b' })], 'operator')
    clock.advance(1001)
    expect(list.find(principal({ sub: 'a' }))).toBeUndefined()
    expect(list.find(principal({ sub: 'b' }))).toBeDefined()
    expect(list.list().map(({ value }) => value)).toEqual(['b'])
  })

  it('is weakened neither by a shorter denial nor by one of old tokens', async () => {
    const { list, clock } = await open()
    const until = clock.wall() + 60_000
    await list.add([denial({ expiresAt: until })], 'operator')
    await list.add([denial({ expiresAt: clock.wall() + 1000 })], 'operator')
    await list.add([denial({ issuedBefore: 5, expiresAt: clock.wall() + 1000 })], 'operator')
    clock.advance(30_000)
    expect(list.find(principal({ sub: 'alice', iat: 9 }))).toMatchObject({ expiresAt: until })
  })

  it('is weakened by none that refuses fewer of the old tokens', async () => {
    const { list } = await open()
    await list.add([denial({ issuedBefore: 1000 })], 'operator')
    await list.add([denial({ issuedBefore: 900 })], 'logout')
    expect(list.find(principal({ sub: 'alice', iat: 950 }))).toBeDefined()
  })

  it('lifts what refuses new tokens, and leaves what refuses old ones', async () => {
    const { list } = await open()
    await list.add([denial({}), denial({ issuedBefore: 1000 })], 'operator')
    expect(await list.lift('user', ISSUER, 'alice')).toBe(true)
    expect(await list.lift('user', ISSUER, 'alice')).toBe(false)
    expect(list.find(principal({ sub: 'alice', iat: 1000 }))).toBeUndefined()
    expect(list.find(principal({ sub: 'alice', iat: 999 }))).toBeDefined()
  })

  it('reaches the other processes with their next question, and only then costs them the list', async () => {
    const { store, clock, list } = await open()
    const other = await open({ ...createCountedStore(clock), store })
    const asked: string[] = []
    const countedList = async (kind: string, most: number) => {
      asked.push(kind)
      return store.list(kind, most)
    }
    const third = await open({ ...createCountedStore(clock), store: { ...store, list: countedList } })
    await list.add([denial({})], 'operator')
    expect(other.list.find(principal({ sub: 'alice' }))).toBeUndefined()
    clock.advance(2000)
    await settle()
    expect(other.list.find(principal({ sub: 'alice' }))).toBeDefined()
    for (let i = 0; i < 10; i++) {
      clock.advance(2000)
      await settle()
    }
    expect([asked.length, other.changes.length, third.changes.length]).toEqual([2, 1, 1])
  })

  it('asks the store nothing for a call, and looks at a caller once', async () => {
    const { list, asked } = await open()
    await list.add([denial({ value: 'other' })], 'operator')
    const before = asked.length
    let reads = 0
    const claims = {
      get jti() {
        reads += 1
        return 'id'
      },
    }
    const caller = { ...principal({ sub: 'alice' }), claims }
    for (let i = 0; i < 100; i++) expect(list.find(caller)).toBeUndefined()
    expect([asked.length - before, reads]).toEqual([0, 1])
  })

  it('stays in force while the store is away, and says so once', async () => {
    const { list, state, clock, issues } = await open()
    await list.add([denial({})], 'operator')
    state.isAway = true
    for (let i = 0; i < 20; i++) {
      clock.advance(2000)
      await settle()
    }
    expect(list.find(principal({ sub: 'alice' }))).toBeDefined()
    expect(issues).toEqual([expect.stringMatching(/what was read last stays in force: it is away/)])
  })

  it('finds what was written without its mark within a minute', async () => {
    const { list, store, clock } = await open()
    const silent: Store = {
      ...store,
      put: (kind, ...rest) => (kind === 'DenialMark' ? Promise.reject(new Error('gone')) : store.put(kind, ...rest)),
    }
    const dying = await open({ ...createCountedStore(clock), store: silent })
    await expect(dying.list.add([denial({})], 'operator')).rejects.toThrow('gone')
    for (let i = 0; i < 31; i++) {
      clock.advance(2000)
      await settle()
    }
    expect(list.find(principal({ sub: 'alice' }))).toBeDefined()
  })

  it('names no user in the store where there are keys, and tells of entries that it cannot read', async () => {
    const parts = createCountedStore()
    const { list, store } = await open(parts)
    await list.add([denial({ value: 'alice@example.com' })], 'operator')
    expect(JSON.stringify(await store.list('Denial', 10))).not.toContain('alice')
    const other = await open(parts, createEncryption([Buffer.alloc(32, 2)]))
    expect(other.issues).toEqual([expect.stringMatching(/1 entries cannot be read/)])
    const without = await open(createCountedStore(), undefined)
    await without.list.add([denial({})], 'operator')
    expect(without.list.find(principal({ sub: 'alice' }))).toBeDefined()
  })

  it.each<[string, Partial<Denial>, Record<string, unknown>]>([
    ['a blocked user', {}, { sub: 'alice' }],
    ['a user whose old tokens are refused', { issuedBefore: 1000 }, { sub: 'alice', iat: 2000 }],
    ['a session', { kind: 'session', value: 's-1' }, { sub: 'alice', sid: 's-1' }],
  ])('refuses %s while the entry is under a key that is not configured here yet', async (_name, of, claims) => {
    const parts = createCountedStore()
    const newer = await open(parts, createEncryption([Buffer.alloc(32, 2)]))
    const older = await open(parts)
    await newer.list.add([denial(of)], 'operator')
    parts.clock.advance(2000)
    await settle()
    expect(older.list.find(principal(claims))).toMatchObject({ kind: denial(of).kind, value: denial(of).value })
    expect(older.changes).toHaveLength(1)
    expect(older.list.find(principal({ sub: 'bob', sid: 's-2' }))).toBeUndefined()
    expect(older.list.find(principal(claims, 'https://other.example.com'))).toBeUndefined()
    await parts.store.take('Denial', (await parts.store.list('Denial', 1))[0]?.id ?? '')
    parts.clock.advance(60_000)
    await settle()
    expect(older.list.find(principal(claims))).toBeUndefined()
  })

  it('takes no entry for another that was moved in its place', async () => {
    const { list, store } = await open()
    await list.add([denial({ value: 'mallory' })], 'operator')
    const [entry] = await store.list('Denial', 1)
    await store.put('Denial', 'elsewhere', entry?.value ?? '')
    await store.take('Denial', entry?.id ?? '')
    await list.add([denial({ value: 'else' })], 'operator')
    expect(list.find(principal({ sub: 'mallory' }))).toBeUndefined()
  })

  it('has a bound, and refuses what goes beyond it', async () => {
    const { list, store } = await open()
    for (let i = 0; i < 20_000; i++) await store.put('Denial', String(i), '{}')
    await expect(list.add([denial({})], 'operator')).rejects.toMatchObject({ code: 'deny_list_full' })
  })

  it('repeats a denial that it has, however full it is', async () => {
    const { list, store, clock } = await open()
    await list.add([denial({ expiresAt: clock.wall() + 1000 })], 'logout')
    for (let i = 1; i < 20_000; i++) await store.put('Denial', String(i), '{}')
    const twice = [denial({ expiresAt: clock.wall() + 9000 }), denial({ expiresAt: clock.wall() + 9000 })]
    await list.add(twice, 'logout')
    expect(list.find(principal({ sub: 'alice' }))).toMatchObject({ expiresAt: clock.wall() + 9000 })
    await expect(list.add([denial({}), denial({ value: 'bob' })], 'operator')).rejects.toMatchObject({ code: 'deny_list_full' })
  })

  it('keeps room for operators, however many log out', async () => {
    const { list, store } = await open()
    for (let i = 0; i < 15_000; i++) await store.put('Denial', String(i), '{}')
    await expect(list.add([denial({})], 'logout')).rejects.toMatchObject({ code: 'deny_list_full' })
    await list.add([denial({})], 'operator')
    expect(list.find(principal({ sub: 'alice' }))).toBeDefined()
  })
})

describe('a verifier with a deny list', () => {
  const caller = principal({ sub: 'alice' })
  const inner: TokenVerifier = { verify: () => caller, recall: () => caller }

  it('refuses a token that is remembered', async () => {
    const { list } = await open()
    const verifier = createDenyVerifier(inner, list)
    expect([verifier.verify('token'), verifier.recall?.('token')]).toEqual([caller, caller])
    await list.add([denial({})], 'operator')
    expect(verifier.recall?.('token')).toBeUndefined()
    expect(() => verifier.verify('token')).toThrow(expect.objectContaining({ code: 'token_invalid', reason: 'revoked' }))
    const late = createDenyVerifier({ verify: async () => caller }, list)
    await expect(late.verify('token')).rejects.toMatchObject({ reason: 'revoked' })
    expect(late.recall).toBeUndefined()
  })

  it('accepts nothing before the list was read', async () => {
    const parts = createCountedStore()
    parts.state.isAway = true
    const { list, clock, issues } = await open(parts)
    const verifier = createDenyVerifier(inner, list)
    expect(verifier.recall?.('token')).toBeUndefined()
    expect(() => verifier.verify('token')).toThrow(expect.objectContaining({ code: 'issuer_unavailable' }))
    expect(issues).toEqual([expect.stringMatching(/no token is accepted until then/)])
    parts.state.isAway = false
    clock.advance(2000)
    await settle()
    expect(verifier.verify('token')).toBe(caller)
  })
})
