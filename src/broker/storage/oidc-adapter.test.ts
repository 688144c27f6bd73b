import { errors } from 'oidc-provider'
import { beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createAdapter } from './oidc-adapter.ts'
import { createSingleUse } from './single-use.ts'

const GRANT = 'the-grant'
let store: Store
let clock: FakeClock
let find: ReturnType<typeof createAdapter>

beforeEach(async () => {
  clock = createFakeClock(1_700_000_000_000)
  store = createMemoryStore(clock)
  find = createAdapter({
    store,
    encryption: createEncryption([Buffer.alloc(32, 7)]),
    singleUse: createSingleUse(clock, () => {}),
    refreshGraceSeconds: 30,
    onRegistration: async () => {},
    onGrantEnded: () => {},
    unusedClientSeconds: 60,
    now: () => clock.wall(),
  })
  await find('Grant').upsert(GRANT, { accountId: 'alice' }, 3600)
})

const saveFor = (kind: string, id: string) => find(kind).upsert(id, { grantId: GRANT, accountId: 'alice' }, 3600)
const isThere = async (kind: string, id: string) => (await store.find(kind, hashId(id))) !== undefined

describe('a code that several have found unused', () => {
  it('is used by one of them; the others end what it led to (RFC 6749 §4.1.2)', async () => {
    await saveFor('AuthorizationCode', 'code')
    await saveFor('RefreshToken', 'token')
    await find('AuthorizationCode').consume('code')
    expect((await find('AuthorizationCode').find('code'))?.consumed).toBe(clock.wall() / 1000)
    await expect(find('AuthorizationCode').consume('code')).rejects.toThrow(errors.InvalidGrant)
    for (const [kind, id] of [
      ['Grant', GRANT],
      ['AuthorizationCode', 'code'],
      ['RefreshToken', 'token'],
    ] as const)
      expect([kind, await isThere(kind, id)]).toEqual([kind, false])
  })

  it('is used by one also at the very same moment', async () => {
    await saveFor('AuthorizationCode', 'code')
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => find('AuthorizationCode').consume('code')))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await isThere('Grant', GRANT)).toBe(false)
  })

  it('cannot be used once it is deleted', async () => {
    await expect(find('AuthorizationCode').consume('code')).rejects.toThrow(errors.InvalidGrant)
    expect(await isThere('Grant', GRANT)).toBe(true)
  })
})

describe('a refresh token that several have found unused', () => {
  it('is used by all of them within its grace, and ends what it led to after that (RFC 9700 §4.14.2)', async () => {
    await saveFor('RefreshToken', 'token')
    await find('RefreshToken').consume('token')
    await find('RefreshToken').consume('token')
    expect(await find('RefreshToken').find('token')).toMatchObject({ jti: 'token', grantId: GRANT, consumed: undefined })
    clock.advance(29_000)
    await find('RefreshToken').consume('token')
    // The grace begins with the first use, and no later use makes it longer.
    clock.advance(1_000)
    expect((await find('RefreshToken').find('token'))?.consumed).toBe(1_700_000_000)
    await expect(find('RefreshToken').consume('token')).rejects.toThrow(errors.InvalidGrant)
    expect(await isThere('Grant', GRANT)).toBe(false)
  })
})

describe('the end of a grant', () => {
  it('is the end of all that it led to, and of nothing else', async () => {
    await saveFor('RefreshToken', 'token')
    await find('RefreshToken').upsert('other', { grantId: 'other-grant', accountId: 'alice' }, 3600)
    await find('RefreshToken').revokeByGrantId(GRANT)
    expect([await isThere('Grant', GRANT), await isThere('RefreshToken', 'token')]).toEqual([false, false])
    expect(await isThere('RefreshToken', 'other')).toBe(true)
  })
})

describe('what the store is told', () => {
  it('holds no code, token or cookie in the clear: a reader of the store cannot use any', async () => {
    for (const kind of ['AuthorizationCode', 'RefreshToken', 'Session', 'Interaction'])
      await find(kind).upsert('a-bearer-secret', { jti: 'a-bearer-secret', grantId: GRANT, uid: 'uid' }, 3600)
    for (const kind of ['AuthorizationCode', 'RefreshToken', 'Session', 'Interaction', 'SessionUid'])
      expect(JSON.stringify(await store.list(kind, 10))).not.toContain('a-bearer-secret')
    expect((await find('RefreshToken').find('a-bearer-secret'))?.jti).toBe('a-bearer-secret')
  })

  it('takes a client assertion once, also at the very same moment (RFC 7523 §3, 7)', async () => {
    const use = () => find('ReplayDetection').upsert('assertion', {}, 60)
    const outcomes = await Promise.allSettled([use(), use(), use()])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})
