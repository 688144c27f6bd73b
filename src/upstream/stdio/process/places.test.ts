import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { type Place, Places, type Spare } from './places.ts'

function open(maxProcesses: number, isShared = false) {
  const clock = createFakeClock()
  const spares: Spare[] = []
  const places = new Places({ clock, maxProcesses, isShared, listSpares: () => spares })
  const ended: string[] = []
  const spare = (key: string, idle: number, place: Place) =>
    void spares.push({
      key,
      idle,
      end: () => {
        spares.splice(
          spares.findIndex((one) => one.key === key && one.idle === idle),
          1,
        )
        ended.push(`${key} ${idle}`)
        place.leave()
        place.free()
      },
    })
  const codeOf = (taking: Promise<Place>) =>
    taking.then(
      () => 'taken',
      ({ code }) => code,
    )
  return { clock, places, spare, ended, codeOf }
}

describe('places for processes', () => {
  it('are a quarter for one principal, who gives up the longest idle of its own', async () => {
    const { places, spare, ended, codeOf } = open(16)
    const mine = await Promise.all([1, 2, 3, 4].map(() => places.take('alice')))
    expect(await codeOf(places.take('alice'))).toBe('upstream_busy')
    spare('alice', 10, mine[0]!)
    spare('alice', 20, mine[1]!)
    expect(await codeOf(places.take('alice'))).toBe('taken')
    expect(ended).toEqual(['alice 20'])
  })

  it('are two for one principal where there are few', async () => {
    const { places, codeOf } = open(4)
    expect(await Promise.all([1, 2, 3].map(() => codeOf(places.take('alice'))))).toEqual(['taken', 'taken', 'upstream_busy'])
  })

  it('are given up by the principal that has most when all are taken, and never by one that has fewer than who asks', async () => {
    const { places, spare, ended, codeOf } = open(5)
    const alice = [await places.take('alice'), await places.take('alice')]
    const bob = await places.take('bob')
    await places.take('carol')
    await places.take('carol')
    spare('alice', 5, alice[0]!)
    spare('bob', 50, bob)
    expect(await codeOf(places.take('dave'))).toBe('taken')
    expect(ended).toEqual(['alice 5'])
    expect(await codeOf(places.take('dave'))).toBe('taken')
    expect(ended).toEqual(['alice 5', 'bob 50'])
  })

  it('are not given up by a principal that has fewer than the one that asks', async () => {
    const { places, spare, ended, codeOf } = open(16)
    for (const key of ['carol', 'dave', 'erin']) for (let i = 0; i < 4; i++) await places.take(key)
    for (let i = 0; i < 3; i++) await places.take('alice')
    spare('bob', 50, await places.take('bob'))
    expect([await codeOf(places.take('alice')), ended]).toEqual(['upstream_busy', []])
    expect([await codeOf(places.take('frank')), ended]).toEqual(['taken', ['bob 50']])
  })

  it('are not taken from others when none of them is idle', async () => {
    const { places, codeOf } = open(2)
    await places.take('alice')
    await places.take('bob')
    expect(await codeOf(places.take('carol'))).toBe('upstream_busy')
  })

  it('wait five seconds for a process that is ending', async () => {
    const { clock, places, codeOf } = open(2)
    const [one] = [await places.take('alice'), await places.take('alice')]
    one.leave()
    const late = codeOf(places.take('bob'))
    one.free()
    expect(await late).toBe('taken')
    const other = open(2)
    const [place] = [await other.places.take('alice'), await other.places.take('alice')]
    place.leave()
    const never = other.codeOf(other.places.take('bob'))
    other.clock.advance(5000)
    expect(await never).toBe('upstream_busy')
    expect(clock.pending).toBe(0)
  })

  it('have no shares where processes are shared', async () => {
    const { places, codeOf } = open(3, true)
    expect(await Promise.all([1, 2, 3, 4].map(() => codeOf(places.take('shared'))))).toEqual([
      'taken',
      'taken',
      'taken',
      'upstream_busy',
    ])
  })
})
