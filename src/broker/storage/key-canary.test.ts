import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createSeal } from './encryption.ts'
import { markEncryption } from './key-canary.ts'

describe('a store that was written with another encryption key', () => {
  function openStore() {
    const clock = createFakeClock()
    const store = createMemoryStore(() => clock.wall())
    const start = async (...keys: Buffer[]) => {
      const issues: string[] = []
      const options = { store, seal: createSeal(keys), seconds: 100, clock, onIssue: (issue: string) => issues.push(issue) }
      return { mark: await markEncryption(options), issues }
    }
    return { clock, start, store }
  }
  const [first, second] = [randomBytes(32), randomBytes(32)]
  const LOST = [expect.stringMatching(/cannot be read: clients register and users sign in again\. .* put the key of before back/)]

  it('is told of, once a start, until the key of before is back', async () => {
    const { start } = openStore()
    expect((await start(first)).issues).toEqual([])
    expect((await start(first)).issues).toEqual([])
    expect((await start(second)).issues).toEqual(LOST)
    expect((await start(second)).issues).toEqual(LOST)
    expect((await start(second, first)).issues).toEqual([])
    // Then what was written meanwhile is what cannot be read.
    expect((await start(first)).issues).toEqual(LOST)
  })

  it('is told of for as long as anything in it may be of use, and no longer', async () => {
    const { start, clock } = openStore()
    await start(first)
    clock.advance(99_999)
    expect((await start(second)).issues).toEqual(LOST)
    clock.advance(1)
    expect((await start(second)).issues).toEqual([])
  })

  it('has that time begin when the other key was last in use', async () => {
    const { start, clock } = openStore()
    const { mark } = await start(first)
    clock.advance(60_000)
    await mark.renew()
    clock.advance(60_000)
    expect((await start(second)).issues).toEqual(LOST)
  })

  it('is as lost when it was damaged, and says nothing of keys', async () => {
    const { start, store } = openStore()
    await start(first)
    const [entry] = await store.list('EncryptionKey', 2)
    await store.put('EncryptionKey', entry?.id ?? '', `${entry?.value.slice(0, -4)}AAAA`)
    const { issues } = await start(first)
    expect(issues).toEqual(LOST)
    for (const secret of [first.toString('base64'), first.toString('hex'), entry?.value ?? ''])
      expect(issues.join()).not.toContain(secret)
  })
})
