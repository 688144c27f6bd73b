import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { createHeldMemory } from '../../../core/held-memory.ts'
import type { ProcessEnd } from './server-process.ts'
import { describeEnd, Spawner } from './spawner.ts'

const MiB = 1024 * 1024

/** A spawner of processes that fail at once, on a clock that stands still. */
function openFailing() {
  const plan = {
    kind: 'stdio',
    command: ['/bin/sh', '-c', 'exit 1'],
    workDir: undefined,
    env: {},
    secrets: [],
    processPer: 'session',
    maxProcesses: 1,
    idleSeconds: 60,
    startSeconds: 10,
    requestSeconds: 60,
    maxMessageBytes: 2 * MiB,
  } as const
  const clock = createFakeClock()
  const events: string[] = []
  const ignore = () => undefined
  const options = { plan, clock, onStderr: ignore, name: 'test', memory: createHeldMemory(MiB) }
  const spawner = new Spawner({ ...options, onEvent: (event) => events.push(event) })
  const fail = (key: string) =>
    new Promise<ProcessEnd>((resolve, reject) => {
      spawner.start({ key }, { message: ignore, broken: ignore, ended: resolve }).catch(reject)
    })
  return { clock, events, spawner, fail }
}

describe('the start of a process', () => {
  it('is refused after repeated failures until the delay is over, and only to the key whose processes fail', async () => {
    const { clock, events, spawner, fail } = openFailing()
    // The delays are 100, 200, 400, 800 and 1600 milliseconds; longer than 1500 is not waited for.
    for (const delay of [100, 200, 400, 800, 0]) {
      await fail('alice')
      clock.advance(delay)
    }
    expect(events).toHaveLength(5)
    await expect(fail('alice')).rejects.toMatchObject({ code: 'upstream_busy', reason: 'restarting', retryAfter: 2 })
    expect((await fail('bob')).expected).toBe(false)
    clock.advance(1600)
    expect((await fail('alice')).expected).toBe(false)
    await spawner.close(100)
  })
})

it.each([
  ['EMFILE', { code: 'upstream_busy', reason: 'system_limit', retryAfter: 5 }],
  ['ENOENT', { code: 'upstream_unreachable', reason: 'not_started' }],
  [undefined, { code: 'upstream_ended', reason: undefined, retryAfter: 1 }],
])('a process that ended because of %s fails its requests', (code, failure) => {
  expect(describeEnd(Object.assign(new Error('ended'), code === undefined ? {} : { code }))).toMatchObject(failure)
})
