import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createAccessKey, digestAccessKey } from '../core/access-key.ts'
import { createEncryption } from '../core/encryption.ts'
import type { Store } from '../core/store.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { openKeyRing } from './key-ring.ts'
import { createKeyVerifier } from './key-verifier.ts'
import { createLastUse } from './last-use.ts'
import { createAccessKeyRegister } from './register.ts'

const encryption = createEncryption([Buffer.alloc(32, 1)])

/** A store whose questions are counted, and which can be away. */
function createCountedStore(clock = createFakeClock()) {
  const inner = createMemoryStore(clock)
  const asked: string[] = []
  const state = { isAway: false }
  const ask = async <T>(what: string, answer: () => Promise<T>): Promise<T> => {
    asked.push(what)
    if (state.isAway) throw new Error('it is away')
    return answer()
  }
  const store: Store = {
    ...inner,
    find: (kind, id) => ask(`find ${kind}`, () => inner.find(kind, id)),
    list: (kind, most) => ask(`list ${kind}`, () => inner.list(kind, most)),
    put: (kind, ...rest) => ask(`put ${kind}`, () => inner.put(kind, ...rest)),
  }
  return { inner, store, asked, state, clock }
}

type Counted = ReturnType<typeof createCountedStore>

/** A process with the store. */
async function open(parts: Counted = createCountedStore(), keys: typeof encryption | 'none' = encryption, acceptsStored = true) {
  const { store, clock } = parts
  const issues: string[] = []
  const changes: number[] = []
  const common = {
    store,
    clock,
    encryption: keys === 'none' ? undefined : keys,
    onIssue: (message: string) => void issues.push(message),
  }
  const ring = await openKeyRing({ ...common, acceptsStored, onChange: () => changes.push(1) })
  const lastUse = createLastUse(store, clock, common.onIssue)
  const register = createAccessKeyRegister({ ...common, ring, lastUse })
  const tokens = {
    verify: () => {
      throw new Error('this is no token')
    },
    recall: () => {
      throw new Error('this is no token')
    },
  }
  const verifier = createKeyVerifier(tokens, { ring, server: 'files', clock, onUse: lastUse.note })
  const show = (key: string, address = '10.0.0.1'): string => {
    try {
      const { accessKey } = verifier.verify(key, address) as { accessKey: { name: string } }
      return accessKey.name
    } catch (error) {
      const { code, reason } = error as { code: string; reason?: string }
      return reason ?? code
    }
  }
  return { ...parts, ring, register, verifier, show, issues, changes }
}

function createKey(clock: Counted['clock'], terms: object = {}) {
  const text = createAccessKey()
  const now = Math.floor(clock.wall() / 1000)
  const key = {
    ...{ digest: digestAccessKey(text) ?? '', name: 'nightly', servers: ['files'], scopes: [], addresses: [] },
    ...{ user: undefined, createdAt: now, expiresAt: now + 3600, ...terms },
  }
  return { text, key }
}

/** Lets what a timer began come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('an access key', () => {
  it('costs no look into the store, whatever is shown and however often', async () => {
    const { show, register, asked, clock } = await open()
    const known = createKey(clock)
    await register.add(known.key)
    show(known.text)
    const before = asked.length
    for (let i = 0; i < 100; i++) {
      expect(show(createAccessKey())).toBe('access_key_unknown')
      expect(show(`${createAccessKey()}x`)).toBe('access_key_malformed')
      expect(show(known.text)).toBe('nightly')
    }
    expect(asked.slice(before)).toEqual([])
  })

  it('is over in this process when it is revoked, and in others with their next question', async () => {
    const parts = createCountedStore()
    const [here, there] = [await open(parts), await open(parts)]
    const { text, key } = createKey(parts.clock)
    await here.register.add(key)
    parts.clock.advance(2000)
    await settle()
    const { principal } = there.ring.find(key.digest) ?? {}
    expect([here.show(text), there.show(text), principal && there.ring.isGone(principal)]).toEqual(['nightly', 'nightly', false])
    await here.register.revoke(({ name }) => name === 'nightly')
    expect([here.show(text), there.show(text)]).toEqual(['access_key_revoked', 'nightly'])
    parts.clock.advance(2000)
    await settle()
    expect([there.show(text), principal && there.ring.isGone(principal), there.changes.length]).toEqual([
      'access_key_revoked',
      true,
      2,
    ])
  })

  it('ends with its time, and is known as expired for a week', async () => {
    const { show, register, clock } = await open()
    const { text, key } = createKey(clock)
    await register.add(key)
    clock.advance(3599_000)
    await settle()
    expect(show(text)).toBe('nightly')
    clock.advance(2000)
    await settle()
    expect(show(text)).toBe('token_expired')
    clock.advance(8 * 86_400_000)
    await settle()
    expect(show(text)).toBe('access_key_unknown')
  })

  it('tells a thief elsewhere no more than one that does not exist', async () => {
    const { show, register, clock } = await open()
    const { text, key } = createKey(clock, { addresses: ['10.0.0.0/8', '2001:db8::/32'], servers: ['web'] })
    await register.add(key)
    expect(['192.0.2.1', '', 'unknown', '2001:db9::1'].map((address) => show(text, address))).toEqual(
      Array(4).fill('access_key_address'),
    )
    expect(show(text, '2001:db8::1')).toBe('access_key_server')
    clock.advance(4000_000)
    await settle()
    expect(show(text, '192.0.2.1')).toBe('access_key_address')
  })
})

describe('while the store is away', () => {
  it('its keys are accepted for ten seconds, and those of the configuration for as long as it takes', async () => {
    const { show, register, ring, clock, state, issues } = await open()
    const [stored, configured] = [createKey(clock), createKey(clock, { name: 'file' })]
    await register.add(stored.key)
    ring.configure([configured.key])
    state.isAway = true
    clock.advance(10_000)
    await settle()
    expect([show(stored.text), show(configured.text)]).toEqual(['nightly', 'file'])
    clock.advance(2000)
    await settle()
    expect([show(stored.text), show(createAccessKey()), show(configured.text)]).toEqual([
      ...['store_unavailable', 'store_unavailable', 'file'],
    ])
    expect(issues).toContainEqual(expect.stringMatching(/^access keys: the store cannot be read, .* 10 seconds/))
    state.isAway = false
    clock.advance(2000)
    await settle()
    expect([show(stored.text), show(createAccessKey())]).toEqual(['nightly', 'access_key_unknown'])
  })

  it('none is accepted before it was read once: any may have been revoked', async () => {
    const parts = createCountedStore()
    parts.state.isAway = true
    const { show, ring, clock } = await open(parts)
    const { text, key } = createKey(clock)
    ring.configure([key])
    expect(show(text)).toBe('store_unavailable')
  })

  it('a call does not wait for the note of its use, which is written once in a minute', async () => {
    const { show, register, clock, asked, state, issues } = await open()
    const { text, key } = createKey(clock)
    await register.add(key)
    const uses = () => asked.filter((what) => what === 'put AccessKeyUse').length
    for (let i = 0; i < 50; i++) show(text)
    expect(uses()).toBe(1)
    clock.advance(60_000)
    await settle()
    state.isAway = true
    expect([show(text), show(text), uses()]).toEqual(['nightly', 'nightly', 2])
    await settle()
    expect(issues).toContainEqual(expect.stringMatching(/^access keys: when a key was used cannot be written/))
  })
})

describe('a writer of the store without the encryption key', () => {
  it('can add no key, in the clear or by moving an entry, and changes none', async () => {
    const { show, register, inner, clock, issues } = await open()
    const [own, forged] = [createKey(clock), createKey(clock, { name: 'forged' })]
    await register.add(own.key)
    const [entry] = await inner.list('AccessKey', 10)
    await inner.put('AccessKey', forged.key.digest, JSON.stringify({ key: forged.key }))
    await inner.put('AccessKeyMark', 'mark', 'other')
    clock.advance(2000)
    await settle()
    expect(show(forged.text)).toBe('store_unavailable')
    await inner.put('AccessKey', forged.key.digest, entry?.value ?? '')
    await inner.put('AccessKeyMark', 'mark', 'another')
    clock.advance(2000)
    await settle()
    expect([show(forged.text), show(own.text)]).toEqual(['store_unavailable', 'nightly'])
    expect(issues).toContainEqual(expect.stringMatching(/^access keys: 1 cannot be read/))
  })

  it('finds nothing under the digest of another key, in the clear either', async () => {
    const { show, inner, clock } = await open(createCountedStore(), 'none')
    const [one, other] = [createKey(clock), createKey(clock)]
    await inner.put('AccessKey', other.key.digest, JSON.stringify({ key: one.key }))
    await inner.put('AccessKeyMark', 'mark', 'other')
    clock.advance(2000)
    await settle()
    expect([show(one.text), show(other.text)]).toEqual(['access_key_unknown', 'store_unavailable'])
  })

  it('reads no name, user or scope there, and never a key', async () => {
    const { register, inner, clock } = await open()
    const { text, key } = createKey(clock, { user: { issuer: 'urn:x', subject: 'alice@example.com' } })
    await register.add(key)
    expect(JSON.stringify(await inner.list('AccessKey', 10))).not.toMatch(/nightly|alice|files/)
    const plain = await open(createCountedStore(), 'none')
    await plain.register.add(key)
    const written = JSON.stringify(await plain.inner.list('AccessKey', 10))
    expect([written.includes('nightly'), written.includes(text)]).toEqual([true, false])
  })
})

describe('keys of the configuration', () => {
  it('can be revoked in the store, and stay revoked', async () => {
    const parts = createCountedStore()
    const { show, register, ring, clock } = await open(parts)
    const { text, key } = createKey(clock, { createdAt: undefined })
    ring.configure([key])
    expect(show(text)).toBe('nightly')
    await register.revoke(({ name }) => name === 'nightly')
    expect(show(text)).toBe('access_key_revoked')
    ring.configure([key])
    const again = await open(parts)
    again.ring.configure([key])
    expect([show(text), again.show(text)]).toEqual(['access_key_revoked', 'access_key_revoked'])
  })

  it('are the only ones where those of the store are not accepted, and revoked all the same', async () => {
    const { show, register, ring, clock } = await open(createCountedStore(), encryption, false)
    const [stored, configured] = [createKey(clock), createKey(clock, { name: 'file' })]
    await register.add(stored.key)
    ring.configure([configured.key])
    expect([show(stored.text), show(configured.text)]).toEqual(['access_key_unknown', 'file'])
    await register.revoke(({ name }) => name === 'file')
    expect(show(configured.text)).toBe('access_key_revoked')
  })

  it('stay the same principal over a reload that does not change them', async () => {
    const { ring, clock } = await open()
    const { key } = createKey(clock)
    ring.configure([key])
    const before = ring.find(key.digest)?.principal
    ring.configure([{ ...key }])
    expect(ring.find(key.digest)?.principal).toBe(before)
    ring.configure([{ ...key, scopes: ['more'] }])
    expect(ring.find(key.digest)?.principal).not.toBe(before)
  })
})
