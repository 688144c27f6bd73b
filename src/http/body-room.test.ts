import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { type BodyClaim, type BodyRoom, createBodyRoom } from './body-room.ts'

const limits = { bodiesBytes: 400, bodyBytes: 100, bodyIdleSeconds: 60 }
const clock = createFakeClock()
/** Longer than `bodyIdleSeconds`. */
const waitTooLong = (): void => clock.advance(61_000)

const never = (): void => {
  throw new Error('nobody is late')
}
const claim = (room: BodyRoom, user: string, server = user, bytes = 100): BodyClaim => room.claim(bytes, { user, server }, never)

/** Whether there is room already. */
async function isGiven({ given }: BodyClaim): Promise<boolean> {
  return Promise.race([given.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))])
}

/** Expects that there is no room for a claim within the time that it may wait. */
async function expectLimited({ given }: BodyClaim): Promise<void> {
  const refused = expect(given).rejects.toMatchObject({ code: 'bodies_limited' })
  waitTooLong()
  await refused
}

describe('the room for long bodies', () => {
  it('is given at once for as long as there is some, then in the order of asking', async () => {
    const room = createBodyRoom(limits)
    const claims = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => claim(room, user))
    expect(await Promise.all(claims.map(isGiven))).toEqual([true, true, true, true, false, false])
    claims[2]?.release()
    expect(await Promise.all(claims.slice(4).map(isGiven))).toEqual([true, false])
  })

  it('is a quarter for one user and half for one server, and others pass those who have theirs', async () => {
    const room = createBodyRoom(limits)
    const [first, second] = [claim(room, 'a', 'x'), claim(room, 'a', 'y')]
    const others = [claim(room, 'b', 'x'), claim(room, 'c', 'x'), claim(room, 'd', 'y')]
    expect(await Promise.all([first, second, ...others].map(isGiven))).toEqual([true, false, true, false, true])
    first.release()
    expect(await Promise.all([second, ...others].map(isGiven))).toEqual([true, true, true, true])
  })

  it('is one body for everyone, however little there is', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 })
    expect(await isGiven(claim(room, 'a'))).toBe(true)
  })

  it('is not given to the short before the long that came first', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 200 })
    const [first] = [claim(room, 'a'), claim(room, 'b', 'b', 50)]
    const [long, short] = [claim(room, 'c'), claim(room, 'd', 'd', 50)]
    expect(await Promise.all([long, short].map(isGiven))).toEqual([false, false])
    first.release()
    expect(await Promise.all([long, short].map(isGiven))).toEqual([true, true])
  })

  it('comes back once, however often it is given back', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 })
    const first = claim(room, 'a')
    first.release()
    first.release()
    expect(await isGiven(claim(room, 'b'))).toBe(true)
    expect(await isGiven(claim(room, 'c'))).toBe(false)
  })

  it('is not kept for those who went away while they waited', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 })
    const [first, gone, next] = [claim(room, 'a'), claim(room, 'b'), claim(room, 'c')]
    gone.release()
    await expect(gone.given).rejects.toMatchObject({ code: 'client_gone' })
    first.release()
    expect(await isGiven(next)).toBe(true)
  })

  it('is waited for by so many and no more: they too hold something', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 })
    const first = claim(room, 'a')
    const waiting = Array.from({ length: 400 }, (_, i) => claim(room, `b${i}`))
    await expect(claim(room, 'c').given).rejects.toMatchObject({ code: 'bodies_limited', retryAfter: 1 })
    expect(await Promise.all(waiting.map(isGiven))).not.toContain(true)
    for (const each of waiting) each.given.catch(() => undefined)
    for (const each of waiting) each.release()
    first.release()
    expect(await isGiven(claim(room, 'c'))).toBe(true)
  })

  it.each([
    ['user', 1, 100, (i: number): [string, string] => ['a', `x${i}`]],
    ['server', 2, 200, (i: number): [string, string] => [`a${i}`, 'x']],
  ])('is waited for by so many of one %s that others may wait too, and have theirs', async (_name, have, wait, ownersOf) => {
    const room = createBodyRoom(limits)
    const claims = Array.from({ length: have + wait }, (_, i) => claim(room, ...ownersOf(i)))
    await expect(claim(room, ...ownersOf(1000)).given).rejects.toMatchObject({ code: 'bodies_limited' })
    expect((await Promise.all(claims.map(isGiven))).filter(Boolean)).toHaveLength(have)
    expect(await isGiven(claim(room, 'b', 'y'))).toBe(true)
  })

  it('is given to those behind one who went away while it waited for more than there is', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 150 })
    const first = claim(room, 'a')
    const [long, short] = [claim(room, 'b'), claim(room, 'c', 'c', 50)]
    expect(await isGiven(short)).toBe(false)
    long.given.catch(() => undefined)
    long.release()
    expect(await isGiven(short)).toBe(true)
    first.release()
  })

  it('is given to those behind one who was refused', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 150 }, clock)
    const first = claim(room, 'a')
    first.arrived(100)
    const [long, short] = [claim(room, 'b'), claim(room, 'c', 'c', 50)]
    await expectLimited(long)
    await short.given
  })

  it('is what has arrived, once that is known', async () => {
    const room = createBodyRoom(limits)
    const [first, second] = [claim(room, 'a'), claim(room, 'a')]
    expect(await Promise.all([first, second].map(isGiven))).toEqual([true, false])
    first.arrived(30)
    expect(await isGiven(second)).toBe(false)
    const third = claim(room, 'a', 'a', 70)
    expect(await isGiven(third)).toBe(true)
    for (const each of [first, third]) each.release()
    expect(await isGiven(second)).toBe(true)
    second.release()
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((user) => isGiven(claim(room, user))))).toEqual([true, true, true, true])
  })

  it('is refused to those who have waited long, while others are not late', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 }, clock)
    const first = claim(room, 'a')
    first.arrived(100)
    await expectLimited(claim(room, 'b'))
  })

  it.each([
    ['have theirs', (_waiting: BodyClaim, first: BodyClaim) => first.release()],
    ['went away', (waiting: BodyClaim) => waiting.release()],
  ])('stays with those who take long when all who waited %s', async (_name, end) => {
    const short = { ...limits, bodiesBytes: 100 }
    const [room, other] = [createBodyRoom(short, clock), createBodyRoom(short, clock)]
    let lateOnes = 0
    const [first, waiting] = ['a', 'b'].map((user) => room.claim(100, { user, server: user }, () => lateOnes++)) as [
      BodyClaim,
      BodyClaim,
    ]
    waiting.given.catch(() => undefined)
    end(waiting, first)
    // By when that one's time is over, this one's would be.
    claim(other, 'a').arrived(100)
    await expectLimited(claim(other, 'b'))
    expect(lateOnes).toBe(0)
  })

  it('is no more of those who have left: they are not late, and nothing arrives', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 }, clock)
    const gone = claim(room, 'a')
    gone.release()
    gone.arrived(30)
    const next = claim(room, 'b')
    next.arrived(100)
    // Whoever is late by now is told so before this is refused.
    await expectLimited(claim(room, 'c'))
    next.release()
    const again = claim(room, 'a')
    expect(await isGiven(again)).toBe(true)
    const last = claim(room, 'd', 'd', 1)
    last.given.catch(() => undefined)
    expect(await isGiven(last)).toBe(false)
    last.release()
  })

  it('is taken from those who take long to arrive when others want it', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100 }, clock)
    const late: BodyClaim = room.claim(100, { user: 'a', server: 'x' }, () => late.release())
    await late.given
    const next = claim(room, 'b')
    waitTooLong()
    await next.given
  })

  it('stays with slow senders while the requests that wait use up their own share', async () => {
    const room = createBodyRoom(limits, clock)
    const slow = claim(room, 'a')
    let isLate = false
    const own: BodyClaim = room.claim(100, { user: 'b', server: 'b' }, () => {
      isLate = true
      own.release()
    })
    await Promise.all([slow.given, own.given])
    const next = claim(room, 'b')
    waitTooLong()
    await next.given
    expect(isLate).toBe(true)
  })
})
