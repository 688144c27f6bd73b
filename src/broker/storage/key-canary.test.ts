import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { changeCharacter } from '../../../test/support/forge.ts'
import { createEncryption } from '../../core/encryption.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { placeKeyCanary } from './key-canary.ts'

describe('a store that was written with another encryption key', () => {
  function openStore() {
    const clock = createFakeClock()
    const store = createMemoryStore(clock)
    const start = async (...keys: Buffer[]) => {
      const issues: string[] = []
      const options = {
        store,
        encryption: createEncryption(keys),
        seconds: 100,
        clock,
        onIssue: (issue: string) => issues.push(issue),
      }
      return { canary: await placeKeyCanary(options), issues }
    }
    return { clock, start, store }
  }
  const [first, second] = [randomBytes(32), randomBytes(32)]
  const LOST = [
    expect.stringMatching(
      /cannot be read: clients have to register and users have to sign in again\. .* add the previous key to the end of the list/,
    ),
  ]

  it('is reported, once per start, until the previous key is back', async () => {
    const { start } = openStore()
    expect((await start(first)).issues).toEqual([])
    expect((await start(first)).issues).toEqual([])
    expect((await start(second)).issues).toEqual(LOST)
    expect((await start(second)).issues).toEqual(LOST)
    expect((await start(second, first)).issues).toEqual([])
    // Now the entries of the second key cannot be read.
    expect((await start(first)).issues).toEqual(LOST)
  })

  it('is reported for as long as its entries may be needed, and no longer', async () => {
    const { start, clock } = openStore()
    await start(first)
    clock.advance(99_999)
    expect((await start(second)).issues).toEqual(LOST)
    clock.advance(1)
    expect((await start(second)).issues).toEqual([])
  })

  it('counts that time from the last use of the other key', async () => {
    const { start, clock } = openStore()
    const { canary } = await start(first)
    clock.advance(60_000)
    await canary.renew()
    clock.advance(60_000)
    expect((await start(second)).issues).toEqual(LOST)
  })

  it('is reported as lost when the canary was damaged, without any key', async () => {
    const { start, store } = openStore()
    await start(first)
    const [entry] = await store.list('EncryptionKey', 2)
    await store.put('EncryptionKey', entry?.id ?? '', changeCharacter(entry?.value ?? '', -4))
    const { issues } = await start(first)
    expect(issues).toEqual(LOST)
    for (const secret of [first.toString('base64'), first.toString('hex'), entry?.value ?? ''])
      expect(issues.join()).not.toContain(secret)
  })
})
