import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createRegister, type RegisterOptions } from './register.ts'

const encryption = createEncryption([Buffer.alloc(32, 1)])
const MAX_READ = 10_000

/** A register over more users and sessions than are read at a time; the last of each is beyond that. */
async function createFullRegister() {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const put = (kind: string, id: string, value: object, expiresAt: number) =>
    store.put(kind, id, encryption.encrypt(`${kind}:${id}`, JSON.stringify(value)), { expiresAt })
  const later = clock.wall() + 60_000
  for (const kind of ['Account', 'Grant', 'Session']) {
    await put(kind, 'first', { accountId: 'alice', subject: 'alice', claims: { sid: 'sid-first' } }, later)
    for (let i = 1; i < MAX_READ; i++) await store.put(kind, String(i), '', { expiresAt: later + 1 })
    await put(kind, `last-${kind}`, { accountId: 'bob', subject: 'bob', claims: { sid: 'sid-last' } }, later + 2)
  }
  const options = { plan: { issuer: 'https://mcp.example.com' }, store, encryption, clock, revocations: { forget: () => {} } }
  return { store, register: createRegister(options as unknown as RegisterOptions) }
}

describe('with more entries than are read at a time', () => {
  it('a user who is not found by a session is not taken for absent', async () => {
    const { store, register } = await createFullRegister()
    expect(await register.findBySession('sid-first')).toEqual(['alice'])
    await expect(register.findBySession('sid-last')).rejects.toMatchObject({ code: 'store_unavailable' })
    await store.take('Account', '1')
    expect(await register.findBySession('sid-last')).toEqual(['bob'])
    expect(await register.findBySession('sid-other')).toEqual([])
  })

  it.each([
    ['a client', 'Grant', 'client'],
    ['a browser', 'Session', 'browser'],
  ])('the session of %s ends by its id, wherever it is', async (_name, stored, kind) => {
    const { store, register } = await createFullRegister()
    const id = `last-${stored}`
    expect(await register.endSession(id)).toMatchObject({ id, kind, subject: 'bob' })
    expect(await store.find(stored, id)).toBeUndefined()
    expect(await register.endSession(id)).toBeUndefined()
  })
})
