// Access keys, and what an attacker, a mistake or an outage does to the store that has them. Does a revoked key count again?
import { describe, expect, it, vi } from 'vitest'
import { MAX_READ } from '../../src/access-keys/key-ring.ts'
import { writeStoredKey } from '../../src/access-keys/stored-key.ts'
import { openAccessKeys } from '../../src/composition/open-access-keys.ts'
import type { ProxyError } from '../../src/core/errors.ts'
import { createOpenRequests, type OpenRequest } from '../../src/core/open-requests.ts'
import type { Principal } from '../../src/core/principal.ts'
import { createCountedStore, createRingKey, openKeyProcess, settle } from '../support/key-ring-stage.ts'
import { createFileKey, startKeyStage } from '../support/key-stage.ts'

type Process = Awaited<ReturnType<typeof openKeyProcess>>

/** Writes past the register, and has the process read it. */
async function write({ inner, clock }: Process, digest: string, value: string, expiresAt?: number): Promise<void> {
  await inner.put('AccessKey', digest, value, { expiresAt })
  await hear({ inner, clock })
}

async function hear({ inner, clock }: Pick<Process, 'inner' | 'clock'>): Promise<void> {
  await inner.put('AccessKeyMark', 'mark', String(Math.random()))
  clock.advance(2000)
  await settle()
}

describe('a key of the configuration that was revoked', () => {
  const DAY = 86_400_000

  it.each(['before it expired', 'after it had expired'])(
    'stays revoked where its end is moved later, revoked %s',
    async (when) => {
      const parts = createCountedStore()
      const one = await openKeyProcess(parts)
      const { text, key } = createRingKey(parts.clock, { createdAt: undefined })
      one.ring.configure([key])
      if (when.startsWith('after')) parts.clock.advance(8 * DAY)
      await one.register.revoke(({ name }) => name === 'nightly')
      one.ring.close()
      parts.clock.advance(400 * DAY)
      const later = await openKeyProcess(parts)
      later.ring.configure([{ ...key, expiresAt: key.expiresAt + 500 * 86_400 }])
      expect(later.show(text)).toBe('access_key_revoked')
      expect((await later.register.list())[0]).toMatchObject({ source: 'configuration', revokedAt: expect.any(Number) })
    },
  )

  it('stays revoked where it was one of the store then, and was written into the file later', async () => {
    const parts = createCountedStore()
    const one = await openKeyProcess(parts)
    const { text, key } = createRingKey(parts.clock)
    await one.register.add(key)
    await one.register.revoke(({ name }) => name === 'nightly')
    one.ring.configure([{ ...key, expiresAt: key.expiresAt + 500 * 86_400 }])
    await settle()
    one.ring.close()
    parts.clock.advance(100 * DAY)
    const later = await openKeyProcess(parts)
    later.ring.configure([{ ...key, expiresAt: key.expiresAt + 500 * 86_400 }])
    expect(later.show(text)).toBe('access_key_revoked')
  })

  it('is told once by each process as long as it stands there, with its name and id and not its digest', async () => {
    const { ring, register, issues, clock } = await openKeyProcess()
    const { key } = createRingKey(clock, { createdAt: undefined })
    ring.configure([key])
    await register.revoke(({ name }) => name === 'nightly')
    for (const expiresAt of [1, 2]) ring.configure([{ ...key, expiresAt: key.expiresAt + expiresAt }])
    await settle()
    expect(issues).toEqual([
      `access keys: "nightly" (id ${key.digest.slice(0, 16)}) was revoked and is still in \`keys\` of the configuration. It stays refused: remove it there`,
    ])
  })

  it('is told at the start and at a reload of a proxy', async () => {
    const { key, entry } = createFileKey()
    const stage = await startKeyStage({ config: { keys: [entry], store: { kind: 'sqlite', path: 'keys.db' } } })
    try {
      await stage.ask('keys', 'revoke', 'nightly')
      const told = () => stage.log.text().split('was revoked and is still in `keys`').length - 1
      expect(told()).toBe(1)
      await stage.stop()
      await stage.start()
      expect([told(), await stage.status(key)]).toEqual([2, 401])
      stage.write({ keys: [{ ...entry, expires: '2099-12-31' }], store: { kind: 'sqlite', path: 'keys.db' } })
      expect(await stage.reload()).toMatchObject({ outcome: 'reloaded', changed: ['keys'] })
      expect(await stage.status(key)).toBe(401)
    } finally {
      await stage.close()
    }
  })
})

describe('an entry of the store that is broken', () => {
  const broken = (key: object) => (change: object) => JSON.stringify({ key: { ...key, ...change } })

  it.each<[string, object]>([
    ['an address that is none', { addresses: ['10.0.0.0/8', 'everywhere'] }],
    ['a prefix that is too long', { addresses: ['10.0.0.0/33'] }],
    ['an address with a zone', { addresses: ['fe80::1%eth0'] }],
    ['an end that no clock has', { expiresAt: 1e300 }],
    ['a beginning that no clock has', { createdAt: 1e300 }],
    ['a scope that is none', { scopes: ['a"b'] }],
    ['a name that is none', { name: 'a\nb' }],
    ['servers that are none', { servers: 'files' }],
    ['a user without an issuer', { user: { subject: 'alice' } }],
  ])('(%s) is no key, is told once, and keeps no revocation from being read', async (_name, change) => {
    const process = await openKeyProcess(createCountedStore(), 'none')
    const { show, register, clock, inner, issues } = process
    const [good, bad] = [createRingKey(clock), createRingKey(clock, { name: 'bad' })]
    await register.add(good.key)
    await write(process, bad.key.digest, broken(bad.key)(change))
    expect([show(good.text), show(bad.text)]).toEqual(['nightly', 'store_unavailable'])
    await write(process, good.key.digest, writeStoredKey({ key: good.key, revokedAt: clock.wall() }, undefined))
    expect(show(good.text)).toBe('access_key_revoked')
    await register.add(createRingKey(clock).key)
    await hear({ inner, clock })
    expect(issues).toEqual([expect.stringMatching(/^access keys: 1 cannot be read/)])
    expect(await register.list()).toHaveLength(2)
  })

  it('is told again where another one breaks', async () => {
    const process = await openKeyProcess(createCountedStore(), 'none')
    const [one, other] = [createRingKey(process.clock), createRingKey(process.clock)]
    await write(process, one.key.digest, '{}')
    await write(process, other.key.digest, '[]')
    expect(process.issues).toEqual([expect.stringMatching(/: 1 cannot be read/), expect.stringMatching(/: 2 cannot be read/)])
  })
})

describe('a writer of the store who puts back what an entry was before its revocation', () => {
  it.each(['some', 'none'] as const)(
    'undoes nothing in a process that has read it, which revokes it again (%s keys)',
    async (keys) => {
      const parts = createCountedStore()
      const process = await openKeyProcess(parts, keys)
      const { show, register, clock, inner, issues } = process
      const { text, key } = createRingKey(clock)
      await register.add(key)
      const [before] = await inner.list('AccessKey', 10)
      await register.revoke(({ name }) => name === 'nightly')
      for (let i = 0; i < 3; i++) {
        await write(process, key.digest, before?.value ?? '')
        expect(show(text)).toBe('access_key_revoked')
        expect((await register.list())[0]?.revokedAt).toEqual(expect.any(Number))
      }
      expect(issues).toEqual([expect.stringContaining('as it was before it was revoked')])
      const restarted = await openKeyProcess(parts, keys)
      expect(restarted.show(text)).toBe('access_key_revoked')
    },
  )

  it('undoes nothing of a key of the configuration by deleting its entry', async () => {
    const process = await openKeyProcess()
    const { show, register, ring, inner, clock } = process
    const { text, key } = createRingKey(clock, { createdAt: undefined })
    ring.configure([key])
    await register.revoke(({ name }) => name === 'nightly')
    await settle()
    await inner.take('AccessKey', key.digest)
    await hear({ inner, clock })
    expect(show(text)).toBe('access_key_revoked')
    ring.configure([{ ...key, scopes: ['more'] }])
    expect(show(text)).toBe('access_key_revoked')
  })

  it('is told of where the store cannot be written, and undoes nothing', async () => {
    const process = await openKeyProcess()
    const { show, register, ring, store, clock, issues } = process
    const { text, key } = createRingKey(clock)
    await register.add(key)
    await register.revoke(({ name }) => name === 'nightly')
    const put = vi.spyOn(store, 'put').mockRejectedValue(new Error('it is read-only'))
    ring.configure([key])
    await settle()
    put.mockRestore()
    expect([show(text), issues.at(-1)]).toEqual([
      'access_key_revoked',
      expect.stringMatching(/was revoked cannot be written: it is read-only/),
    ])
  })
})

describe('more keys than are read', () => {
  it('are none: one of the others may be revoked', async () => {
    const process = await openKeyProcess(createCountedStore(), 'none')
    const { show, ring, register, inner, clock, issues } = process
    const [configured, stored] = [createRingKey(clock), createRingKey(clock)]
    ring.configure([configured.key])
    await register.add(stored.key)
    const junk = Array.from({ length: MAX_READ }, (_, index) => String(index).padStart(64, '0'))
    for (const digest of junk) await inner.put('AccessKey', digest, '{}', { expiresAt: clock.wall() + 1000_000 })
    await hear({ inner, clock })
    expect([show(configured.text), show(stored.text)]).toEqual(['store_unavailable', 'store_unavailable'])
    expect(issues).toContainEqual(expect.stringContaining(`more than the ${MAX_READ} that are read`))
    for (const digest of junk) await inner.take('AccessKey', digest)
    await hear({ inner, clock })
    expect([show(configured.text), show(stored.text)]).toEqual(['nightly', 'nightly'])
  })

  it('are listed and revoked as far as they count', async () => {
    const process = await openKeyProcess(createCountedStore(), 'none')
    const { show, register, inner, clock } = process
    const last = createRingKey(clock, { name: 'last', expiresAt: Math.floor(clock.wall() / 1000) + 7200 })
    const value = writeStoredKey({ key: last.key, revokedAt: undefined }, undefined)
    for (let index = 0; index < 10_000; index++) {
      const { key } = createRingKey(clock)
      await inner.put('AccessKey', key.digest, writeStoredKey({ key, revokedAt: undefined }, undefined), {
        expiresAt: clock.wall() + 7200_000,
      })
    }
    await write(process, last.key.digest, value, clock.wall() + 9000_000)
    expect(show(last.text)).toBe('last')
    expect((await register.list()).some(({ key }) => key.name === 'last')).toBe(true)
    expect(await register.revoke(({ name }) => name === 'last')).toHaveLength(1)
    expect(show(last.text)).toBe('access_key_revoked')
  })
})

describe('while the store is away', () => {
  it('streams of its keys end when they are no longer accepted; calls that wait for an answer, and what is open for others, go on', async () => {
    const { store, clock, state } = createCountedStore()
    const ofStore = clock.pending
    const openRequests = createOpenRequests()
    const [stored, configured] = [createRingKey(clock), createRingKey(clock, { name: 'file' })]
    const plan = { storeKeys: [], acceptsStoredKeys: true, accessKeys: [configured.key] }
    const { ring, register } = await openAccessKeys(plan, openRequests, { store, clock, onIssue: () => {} })
    await register.add(stored.key)
    const ended: string[] = []
    const open = (principal: Principal | undefined, name: string, { lasts = true, isStream = true } = {}) =>
      openRequests.add({
        ...{ principal, lasts, isStream },
        end: (reason: ProxyError) => ended.push(`${name}: ${reason.code}`),
      } as unknown as OpenRequest)
    open(ring.find(stored.key.digest)?.principal, 'stored')
    open(ring.find(stored.key.digest)?.principal, 'stored, a call that waits for its answer', { lasts: false, isStream: false })
    open(ring.find(configured.key.digest)?.principal, 'configured')
    open({ issuer: 'https://idp.example.com' } as Principal, 'token')
    state.isAway = true
    const second = async () => {
      clock.advance(1000)
      await settle()
    }
    for (let i = 0; i < 10; i++) await second()
    const era = openRequests.era
    expect(ended).toEqual([])
    await second()
    expect([ended, openRequests.era > era]).toEqual([['stored: issuer_unavailable'], true])
    for (let i = 0; i < 10; i++) await second()
    expect(ended).toHaveLength(1)
    state.isAway = false
    for (let i = 0; i < 2; i++) await second()
    state.isAway = true
    for (let i = 0; i < 12; i++) await second()
    expect(ended).toEqual(Array(2).fill('stored: issuer_unavailable'))
    ring.close()
    expect(clock.pending).toBe(ofStore)
  })

  it('a store that answers late does not count as heard at the time of its answer', async () => {
    const parts = createCountedStore()
    const { store, clock } = parts
    let release: (() => void) | undefined
    const { show, register } = await openKeyProcess(parts)
    const { text, key } = createRingKey(clock)
    await register.add(key)
    const find = store.find
    vi.spyOn(store, 'find').mockImplementation(async (kind, id) => {
      const found = await find(kind, id)
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return found
    })
    clock.advance(2000)
    await settle()
    clock.advance(9000)
    release?.()
    await settle()
    expect(show(text)).toBe('nightly')
    clock.advance(1001)
    expect(show(text)).toBe('store_unavailable')
  })
})
