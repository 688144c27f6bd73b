import { describe, expect, it } from 'vitest'
import { createCountedStore, createRingKey, openKeyProcess, pass, settle } from '../../test/support/key-ring-stage.ts'
import { createAccessKey } from '../core/access-key.ts'

describe('an access key', () => {
  it('costs no look into the store, whatever is shown and however often', async () => {
    const { show, register, asked, clock } = await openKeyProcess()
    const known = createRingKey(clock)
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
    const [here, there] = [await openKeyProcess(parts), await openKeyProcess(parts)]
    const { text, key } = createRingKey(parts.clock)
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
    const { show, register, clock } = await openKeyProcess()
    const { text, key } = createRingKey(clock)
    await register.add(key)
    await pass(clock, 3599_000)
    expect(show(text)).toBe('nightly')
    clock.advance(2000)
    await settle()
    expect(show(text)).toBe('token_expired')
    await pass(clock, 8 * 86_400_000)
    expect(show(text)).toBe('access_key_unknown')
  })

  it('tells a thief elsewhere no more than one that does not exist', async () => {
    const { show, register, clock } = await openKeyProcess()
    const { text, key } = createRingKey(clock, { addresses: ['10.0.0.0/8', '2001:db8::/32'], servers: ['web'] })
    await register.add(key)
    expect(['192.0.2.1', '', 'unknown', '2001:db9::1'].map((address) => show(text, address))).toEqual(
      Array(4).fill('access_key_address'),
    )
    expect(show(text, '2001:db8::1')).toBe('access_key_server')
    await pass(clock, 4000_000)
    expect(show(text, '192.0.2.1')).toBe('access_key_address')
  })
})

describe('while the store is away', () => {
  it('its keys are accepted for ten seconds, and those of the configuration for as long as it takes', async () => {
    const { show, register, ring, clock, state, issues } = await openKeyProcess()
    const [stored, configured] = [createRingKey(clock), createRingKey(clock, { name: 'file' })]
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
    const { show, ring, clock } = await openKeyProcess(parts)
    const { text, key } = createRingKey(clock)
    ring.configure([key])
    expect(show(text)).toBe('store_unavailable')
  })

  it('a call does not wait for the note of its use, which is written once in a minute', async () => {
    const { show, register, clock, asked, state, issues } = await openKeyProcess()
    const { text, key } = createRingKey(clock)
    await register.add(key)
    const uses = () => asked.filter((what) => what === 'put AccessKeyUse').length
    for (let i = 0; i < 50; i++) show(text)
    expect(uses()).toBe(1)
    await pass(clock, 60_000)
    state.isAway = true
    expect([show(text), show(text), uses()]).toEqual(['nightly', 'nightly', 2])
    await settle()
    expect(issues).toContainEqual(expect.stringMatching(/^access keys: when a key was used cannot be written/))
  })
})

describe('a writer of the store without the encryption key', () => {
  it('can add no key, in the clear or by moving an entry, and changes none', async () => {
    const { show, register, inner, clock, issues } = await openKeyProcess()
    const [own, forged] = [createRingKey(clock), createRingKey(clock, { name: 'forged' })]
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
    const { show, inner, clock } = await openKeyProcess(createCountedStore(), 'none')
    const [one, other] = [createRingKey(clock), createRingKey(clock)]
    await inner.put('AccessKey', other.key.digest, JSON.stringify({ key: one.key }))
    await inner.put('AccessKeyMark', 'mark', 'other')
    clock.advance(2000)
    await settle()
    expect([show(one.text), show(other.text)]).toEqual(['access_key_unknown', 'store_unavailable'])
  })

  it('reads no name, user or scope there, and never a key', async () => {
    const { register, inner, clock } = await openKeyProcess()
    const { text, key } = createRingKey(clock, { user: { issuer: 'urn:x', subject: 'alice@example.com' } })
    await register.add(key)
    expect(JSON.stringify(await inner.list('AccessKey', 10))).not.toMatch(/nightly|alice|files/)
    const plain = await openKeyProcess(createCountedStore(), 'none')
    await plain.register.add(key)
    const written = JSON.stringify(await plain.inner.list('AccessKey', 10))
    expect([written.includes('nightly'), written.includes(text)]).toEqual([true, false])
  })
})

describe('keys of the configuration', () => {
  it('can be revoked in the store, and stay revoked', async () => {
    const parts = createCountedStore()
    const { show, register, ring, clock } = await openKeyProcess(parts)
    const { text, key } = createRingKey(clock, { createdAt: undefined })
    ring.configure([key])
    expect(show(text)).toBe('nightly')
    await register.revoke(({ name }) => name === 'nightly')
    expect(show(text)).toBe('access_key_revoked')
    ring.configure([key])
    const again = await openKeyProcess(parts)
    again.ring.configure([key])
    expect([show(text), again.show(text)]).toEqual(['access_key_revoked', 'access_key_revoked'])
  })

  it('are the only ones where those of the store are not accepted, and revoked all the same', async () => {
    const { show, register, ring, clock } = await openKeyProcess(createCountedStore(), 'some', false)
    const [stored, configured] = [createRingKey(clock), createRingKey(clock, { name: 'file' })]
    await register.add(stored.key)
    ring.configure([configured.key])
    expect([show(stored.text), show(configured.text)]).toEqual(['access_key_unknown', 'file'])
    await register.revoke(({ name }) => name === 'file')
    expect(show(configured.text)).toBe('access_key_revoked')
  })

  it('stay the same principal over a reload that does not change them', async () => {
    const { ring, clock } = await openKeyProcess()
    const { key } = createRingKey(clock)
    ring.configure([key])
    const before = ring.find(key.digest)?.principal
    ring.configure([{ ...key }])
    expect(ring.find(key.digest)?.principal).toBe(before)
    ring.configure([{ ...key, scopes: ['more'] }])
    expect(ring.find(key.digest)?.principal).not.toBe(before)
  })
})
