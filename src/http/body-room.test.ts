import { describe, expect, it } from 'vitest'
import { type BodyClaim, type BodyRoom, createBodyRoom } from './body-room.ts'

const limits = { bodiesBytes: 400, bodyBytes: 100, bodyIdleSeconds: 60 }
const never = (): void => {
  throw new Error('nobody is late')
}
const claim = (room: BodyRoom, user: string, server = user, bytes = 100): BodyClaim => room.claim(bytes, { user, server }, never)

/** Whether there is room already. */
async function isGiven({ given }: BodyClaim): Promise<boolean> {
  return Promise.race([given.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))])
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
    const waiting = Array.from({ length: 1000 }, () => claim(room, 'b'))
    await expect(claim(room, 'c').given).rejects.toMatchObject({ code: 'bodies_limited', retryAfter: 1 })
    for (const each of waiting) each.given.catch(() => undefined)
    for (const each of waiting) each.release()
    first.release()
    expect(await isGiven(claim(room, 'c'))).toBe(true)
  })

  it('is refused to those who have waited long, while others are not late', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100, bodyIdleSeconds: 0.1 })
    const first = claim(room, 'a')
    first.arrived()
    await expect(claim(room, 'b').given).rejects.toMatchObject({ code: 'bodies_limited' })
  })

  it('is taken from those who take long to arrive when others want it', async () => {
    const room = createBodyRoom({ ...limits, bodiesBytes: 100, bodyIdleSeconds: 0.1 })
    const late: BodyClaim = room.claim(100, { user: 'a', server: 'x' }, () => late.release())
    await late.given
    await claim(room, 'b').given
  })
})
