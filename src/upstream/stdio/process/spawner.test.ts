import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { createHeldMemory } from '../../../core/held-memory.ts'
import { SharedServer } from '../legacy/shared-server.ts'
import type { ProcessEnd } from './server-process.ts'
import { describeEnd, Spawner } from './spawner.ts'

const MiB = 1024 * 1024

/** A spawner of processes that fail at once or run another script, on a clock that stands still. */
function openFailing(script = 'exit 1') {
  const plan = {
    kind: 'stdio',
    command: ['/bin/sh', '-c', script],
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

/** Answers the first request, and waits for the end of its input. */
const answer = (outcome: object) => `read line; echo '${JSON.stringify({ jsonrpc: '2.0', id: 1, ...outcome })}'; cat >/dev/null`
const initialized = { result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } } }

describe('the start of a process that is used as soon as it has initialized', () => {
  it('is refused as well after processes that refuse to initialize, though we end them', async () => {
    const { clock, spawner } = openFailing(answer({ error: { code: -32600, message: 'no' } }))
    const shared = new SharedServer(spawner, 10_000)
    for (const delay of [100, 200, 400, 800, 0]) {
      await expect(shared.find('2025-11-25')).rejects.toMatchObject({ code: 'upstream_invalid_response' })
      await expect.poll(() => spawner.processes).toBe(0)
      clock.advance(delay)
    }
    await expect(shared.find('2025-11-25')).rejects.toMatchObject({ code: 'upstream_busy', reason: 'restarting' })
    await spawner.close(100)
  })

  it('is not delayed after one that was used', async () => {
    const { spawner } = openFailing(answer(initialized))
    const shared = new SharedServer(spawner, 10_000)
    for (let start = 0; start < 7; start += 1) {
      const { channel } = await shared.find('2025-11-25')
      channel.end()
      await expect.poll(() => spawner.processes).toBe(0)
    }
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
