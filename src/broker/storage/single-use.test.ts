import { errors } from 'oidc-provider'
import { beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import type { Middleware } from '../protocol/middlewares.ts'
import { createAdapter } from './oidc-adapter.ts'
import { createSingleUse, type SingleUse } from './single-use.ts'

type Context = Parameters<Middleware>[0]

let clock: FakeClock
let store: Store
let isFailing: boolean
let singleUse: SingleUse
let adapt: ReturnType<typeof createAdapter>
let issues: string[]

beforeEach(async () => {
  clock = createFakeClock()
  issues = []
  isFailing = false
  const memory = createMemoryStore(clock)
  const failing = async <T>(operation: () => Promise<T>): Promise<T> => {
    if (isFailing) throw new Error('no answer')
    return operation()
  }
  store = {
    ...memory,
    replace: (...entry) => failing(() => memory.replace(...entry)),
    take: (...where) => failing(() => memory.take(...where)),
  }
  singleUse = createSingleUse(clock, (message) => issues.push(message))
  adapt = createAdapter({
    store,
    encryption: createEncryption([Buffer.alloc(32, 7)]),
    singleUse,
    refreshGraceSeconds: 0,
    onRegistration: async () => {},
    onGrantEnded: () => {},
    unusedClientSeconds: 60,
    now: () => clock.wall(),
  })
  await adapt('AuthorizationCode').upsert('code', { grantId: 'grant' }, 600)
})

const isUsed = async (): Promise<boolean> => (await adapt('AuthorizationCode').find('code'))?.consumed !== undefined

/** A request in whose course `work` is done, and which the provider answers with a status. */
async function serve(status: number, work: () => Promise<unknown>): Promise<void> {
  const ctx = { status: 404 } as unknown as Context
  await singleUse.middleware(ctx, async () => {
    await work()
    if (status < 400) await singleUse.useAll()
    ctx.status = status
  })
}

describe('a code', () => {
  it('is used when all else is done, so that a process that dies before that has not used it', async () => {
    await serve(200, async () => {
      await adapt('AuthorizationCode').consume('code')
      expect(await isUsed()).toBe(false)
    })
    expect(await isUsed()).toBe(true)
  })

  it.each([400, 500])('is not used by a request that ends with status %d', async (status) => {
    await serve(status, () => adapt('AuthorizationCode').consume('code'))
    expect(await isUsed()).toBe(false)
  })

  it('that another request has used since is refused, whatever was to be answered', async () => {
    const served = serve(200, async () => {
      await adapt('AuthorizationCode').consume('code')
      await store.take('AuthorizationCode', hashId('code'))
    })
    await expect(served).rejects.toThrow(errors.InvalidGrant)
  })
})

describe('what a request leaves that was not answered', () => {
  const leave = () => serve(500, () => adapt('RefreshToken').upsert('fresh', { grantId: 'grant' }, 600))
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 1000) {
      // The round that is due begins only when the one before is over.
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(1000)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  const isThere = async () => (await store.find('RefreshToken', hashId('fresh'))) !== undefined

  it('is taken back as soon as the store can be written to, and no earlier', async () => {
    isFailing = true
    await leave()
    await pass(3000)
    expect(await isThere()).toBe(true)
    isFailing = false
    await pass(1000)
    expect(await isThere()).toBe(false)
    expect(issues).toEqual([])
  })

  it('is given up after five minutes, which the log says', async () => {
    isFailing = true
    await leave()
    await pass(301_000)
    expect(issues).toEqual([expect.stringContaining('could not be undone: no answer')])
  })

  it('is left alone once the broker has stopped', async () => {
    isFailing = true
    await leave()
    singleUse.close()
    isFailing = false
    await pass(10_000)
    expect(await isThere()).toBe(true)
  })
})
