import { describe, expect, it, vi } from 'vitest'
import { type Clock, systemClock } from '../../../core/clock.ts'
import { createHeldMemory } from '../../../core/held-memory.ts'
import { Child, type ChildHandlers } from './child.ts'
import type { ProcessEnd } from './server-process.ts'
import { Watchdog } from './watchdog.ts'

const MiB = 1024 * 1024

/** Runs a shell's script as a server until it is gone. */
function run(script: string, handlers: Partial<ChildHandlers> = {}, clock: Clock = systemClock) {
  const said: string[] = []
  let child!: Child
  const ended = new Promise<ProcessEnd>((resolve) => {
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
    const watchdog = new Watchdog(() => undefined)
    child = new Child(
      {
        plan,
        clock,
        watchdog,
        onStderr: (line) => said.push(line),
        memory: createHeldMemory(MiB).open('test', 'alice'),
      },
      { message: () => undefined, broken: () => undefined, ended: resolve, ...handlers },
    )
  })
  return { child, ended, said }
}

const notification = '{"jsonrpc":"2.0","method":"notifications/x"}'

describe('a child', () => {
  it('ends alone when its output causes an exception, and the operator is told why', async () => {
    let heard = 0
    const { ended } = run(`echo '${notification}'; echo '${notification}'; exec sleep 1000`, {
      message: () => {
        heard++
        throw new RangeError('too much for us')
      },
    })
    const { expected, reason } = await ended
    expect(expected).toBe(false)
    expect(reason.message).toContain('wrote what could not be handled (RangeError: too much for us)')
    expect(heard).toBe(1)
  })

  it('that closes its input ends, although it had read all that was written to it', async () => {
    const { child, ended } = run('read line; exec <&-; exec sleep 1000')
    child.write(notification)
    expect((await ended).reason.message).toContain('no longer reads its input (EPIPE)')
  })

  it('ends alone when its last line does', async () => {
    const { ended } = run(`printf '%s' '${notification}'`, {
      message: () => {
        throw new Error('odd')
      },
    })
    expect((await ended).reason.message).toContain('could not be handled (Error: odd)')
  })

  it.each([
    ['', false],
    [', also where its client is slow when it exits', true],
  ])(
    'that writes many lines at once keeps us from nothing else: all are read, in several turns of the event loop%s',
    async (_when, isSlow) => {
      // Each line seems to take a millisecond.
      let now = 0
      const clock = { ...systemClock, monotonic: () => now++ }
      let turns = 0
      const count = (): void => {
        turns++
        timer = setImmediate(count)
      }
      let timer = setImmediate(count)
      const heard: [method: string, turn: number][] = []
      const script = `for i in $(seq 1000); do printf '{"jsonrpc":"2.0","method":"%s"}\\n' $i; done; printf '{"jsonrpc":"2.0","method":"last"}'`
      const { child, ended } = run(
        `all=$(${script}); printf '%s' "$all"`,
        { message: ({ method }) => heard.push([method, turns]) },
        clock,
      )
      if (isSlow) child.pause()
      await ended
      clearImmediate(timer)
      expect(heard.map(([method]) => method)).toEqual([...Array.from({ length: 1000 }, (_, i) => String(i + 1)), 'last'])
      const inOneTurn = Map.groupBy(heard, ([, turn]) => turn)
      expect(Math.max(...[...inOneTurn.values()].map(({ length }) => length))).toBeLessThan(20)
    },
  )

  it('that exits before slow clients have read is read to its end, also where each message is for another slow client', async () => {
    // A short piece, then two of 64 KiB: one that our buffer takes, and one that waits in the pipe.
    const line = `printf '{"jsonrpc":"2.0","method":"%0100d"}\\n' $i`
    const script = `i=0; ${line}; all=$(for i in $(seq 880); do ${line}; done); echo 'has begun' >&2; read line; echo "$all"`
    const heard: number[] = []
    const { child, ended, said } = run(script, {
      message: ({ method }) => {
        heard.push(Number(method))
        child.pause()
      },
    })
    child.pause()
    await vi.waitUntil(() => said.length > 0)
    child.write(notification)
    await ended
    expect(heard).toEqual(Array.from({ length: 881 }, (_, i) => i))
  })

  it('that writes many lines to its standard error keeps us from nothing else, and none is lost', async () => {
    let now = 0
    const { child, said } = run(
      'all=$(seq 150); echo "$all" >&2; exec sleep 1000',
      {},
      { ...systemClock, monotonic: () => now++ },
    )
    await vi.waitUntil(() => said.length >= 150)
    expect(said).toEqual(Array.from({ length: 150 }, (_, i) => String(i + 1)))
    await child.end(0)
  })

  it('that does not read is sent a thousand messages and no more, and one that has been ended none', async () => {
    const { child, ended } = run('exec sleep 1000')
    for (let i = 0; i < 1000; i++) child.write(notification)
    expect(() => child.write(notification)).toThrow(expect.objectContaining({ code: 'upstream_busy', reason: 'input_full' }))
    void child.end(0)
    expect(() => child.write(notification)).toThrow(expect.objectContaining({ code: 'upstream_ended' }))
    expect((await ended).expected).toBe(true)
  })
})
