import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { hashId } from '../../core/hash-id.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createRevocations } from './revocation.ts'

/** A store that answers each look with what was there when it was asked, but only when it is told to. */
function createSlowStore() {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const waiting: (() => void)[] = []
  const slow = {
    ...store,
    async find(kind: string, id: string) {
      const found = await store.find(kind, id)
      await new Promise<void>((resolve) => waiting.push(resolve))
      return found
    },
  }
  const answerAll = () => {
    for (const answer of waiting.splice(0)) answer()
  }
  return { store: slow, revocations: createRevocations(slow, clock), waiting, answerAll }
}

describe('a token that is revoked while the store is asked about it', () => {
  it.each([
    ['the token is revoked', (slow: ReturnType<typeof createSlowStore>) => slow.revocations.revoke('token', 60_000)],
    ['the sign-in ends', async (slow: ReturnType<typeof createSlowStore>) => slow.revocations.forget()],
  ])('is asked about again by the next call: %s', async (_name, end) => {
    const stage = createSlowStore()
    const first = stage.revocations.findStanding('token', undefined)
    while (stage.waiting.length === 0) await Promise.resolve()
    await end(stage)
    stage.answerAll()
    await first
    const second = stage.revocations.findStanding('token', undefined)
    expect(second).toBeInstanceOf(Promise)
    while (stage.waiting.length === 0) await Promise.resolve()
    stage.answerAll()
    await second
  })

  it('is not asked about again for a while when nothing ended', async () => {
    const stage = createSlowStore()
    const first = stage.revocations.findStanding('token', undefined)
    while (stage.waiting.length === 0) await Promise.resolve()
    stage.answerAll()
    expect(await first).toMatchObject({ isActive: true })
    expect(stage.revocations.findStanding('token', undefined)).toMatchObject({ isActive: true })
  })
})

describe('what the identity provider says of a user', () => {
  const createUser = async () => {
    const clock = createFakeClock()
    const store = createMemoryStore(clock)
    await store.put('Grant', hashId('grant'), '{}')
    const claims: Record<string, unknown> = { groups: ['staff'] }
    let looks = 0
    const revocations = createRevocations(store, clock, async () => {
      looks += 1
      return structuredClone(claims)
    })
    const find = (token: string) => revocations.findStanding(token, 'grant', { subject: 'ann', scopes: new Set() })
    return { clock, claims, find, countLooks: () => looks }
  }

  it('counts for five seconds, then it is looked at again', async () => {
    const { clock, claims, find, countLooks } = await createUser()
    expect((await find('token')).claims).toEqual({ groups: ['staff'] })
    claims.groups = ['visitors']
    clock.advance(4_999)
    expect(find('token')).toEqual({ isActive: true, claims: { groups: ['staff'] } })
    expect(countLooks()).toBe(1)
    clock.advance(1)
    expect(await find('token')).toEqual({ isActive: true, claims: { groups: ['visitors'] } })
  })

  it('is kept once for all tokens, and for as long as it is the same', async () => {
    const { clock, find } = await createUser()
    const first = await find('token')
    expect((await find('other')).claims).toBe(first.claims)
    clock.advance(5_000)
    expect((await find('token')).claims).toBe(first.claims)
  })
})
