import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Denial, DenialSource } from '../core/deny-list.ts'
import { ProxyError } from '../core/errors.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Logout } from '../revocation/logout-token.ts'
import { endLoggedOut } from './end-logged-out.ts'
import type { Foundation } from './foundation.ts'

const ISSUER = 'https://idp.example.com'
const clock = createFakeClock(1_000_000_000_400)

const issuerPlan = (of: Partial<IssuerPlan>) =>
  ({ issuer: ISSUER, clockToleranceSeconds: 30, maxLifetimeSeconds: undefined, logoutClientIds: undefined, ...of }) as IssuerPlan

function planOf(...issuers: Partial<IssuerPlan>[]): Pick<Plan, 'servers' | 'broker'> {
  return { servers: issuers.map((of) => ({ issuers: [issuerPlan(of)] })) as unknown as Plan['servers'], broker: undefined }
}

const logout = (of: Partial<Logout> = {}): Logout => ({
  ...{ issuer: ISSUER, subject: 'alice', sid: 's-1', jti: 'j', issuedAt: 1_000_000_000, staleAt: 0 },
  ...of,
})

function createContext(failure?: ProxyError) {
  const added: [Denial, DenialSource][] = []
  const add = async (denials: readonly Denial[], source: DenialSource): Promise<void> => {
    if (failure !== undefined) throw failure
    for (const denial of denials) added.push([denial, source])
  }
  return { added, context: { denied: { add }, clock, onEvent: () => {} } as unknown as Foundation }
}

describe('a logout', () => {
  it('ends what the broker has of the user although the deny list has no room', async () => {
    const ended: string[] = []
    const broker = { issuer: 'https://mcp.example.com', accessTokenSeconds: 60, logoutIssuer: { issuer: ISSUER } } as BrokerPlan
    const register = { findBySession: async () => ['alice', 'bob'], endSignIn: async (of: string) => void ended.push(of) }
    const plan = { ...planOf({}), broker }
    const { context } = createContext(new ProxyError('deny_list_full'))
    await expect(endLoggedOut(logout({ subject: undefined }), plan, register, context)).rejects.toMatchObject({
      code: 'deny_list_full',
    })
    expect(ended).toEqual(['alice', 'bob'])
  })

  it('takes none of the room that operators have on the deny list', async () => {
    const { added, context } = createContext()
    await endLoggedOut(logout(), planOf({}), undefined, context)
    expect(added.map(([, source]) => source)).toEqual(['logout', 'logout'])
  })

  it.each([
    ['its lifetime and twice the tolerance', 660, [{ maxLifetimeSeconds: 600 }]],
    ['the longest of several servers', 660, [{ maxLifetimeSeconds: 600 }, { maxLifetimeSeconds: 60 }]],
    ['the longest, whatever its place', 660, [{ maxLifetimeSeconds: 60 }, { maxLifetimeSeconds: 600 }]],
    ['seven days where one server has no limit', 604_860, [{ maxLifetimeSeconds: 60 }, {}]],
    ['more where a limit is longer', 700_060, [{}, { maxLifetimeSeconds: 700_000 }]],
  ])('denies for %s', async (_name, seconds, issuers) => {
    const { added, context } = createContext()
    await endLoggedOut(logout(), planOf(...issuers), undefined, context)
    expect(added.map(([{ expiresAt }]) => expiresAt)).toEqual([clock.wall() + seconds * 1000, clock.wall() + seconds * 1000])
  })

  it.each([
    ['our clock', 1_000_000_001, 999_999_990],
    ['the clock of the issuer where it is ahead', 1_000_000_021, 1_000_000_020.7],
  ])('refuses what was issued until then by %s', async (_name, issuedBefore, issuedAt) => {
    const { added, context } = createContext()
    await endLoggedOut(logout({ issuedAt, sid: undefined }), planOf({}), undefined, context)
    expect(added).toEqual([[expect.objectContaining({ issuedBefore }), 'logout']])
  })
})
