import { once } from 'node:events'
import { connect } from 'node:net'
import type { Child } from '../child.ts'
import { quantile } from '../statistics.ts'
import { formatCall, formatRequest } from '../workload.ts'
import { type Measured, pause, type Setting, waitUntil } from './measured.ts'

const aborts = 10_000
const atOnce = 50
/** The time an abort may take to reach the upstream, of 99 in 100 of them: the machine of a test run has other things to do too. */
const mostMilliseconds = 100

/** Where in the course of a call the client goes away. */
type Moment = 'in the body' | 'before the answer' | 'in the stream'
const moments: readonly Moment[] = ['in the body', 'before the answer', 'in the stream']

/** R18: clients that go away in the middle of a call, of its answer, or of their own request. */
export async function measureAborts({ proxy, upstream, tokens }: Setting): Promise<Measured> {
  const arrivals = watchArrivals(upstream)
  const goneAt = new Map<number, number>()
  let next = 0
  const abortAll = async (): Promise<void> => {
    while (next < aborts) {
      const id = next++
      const moment = moments[id % moments.length] ?? 'in the body'
      await abort(proxy.port, tokens[id % tokens.length] ?? '', id, moment, arrivals)
      if (moment !== 'in the body') goneAt.set(id, Date.now())
    }
  }
  await Promise.all(Array.from({ length: atOnce }, abortAll))
  await arrivals.stop()
  const allEnded = await waitUntil(async () => (await upstream.ask<number>('running')) === 0, 5000)
  // Connections that are kept for the next call are no leak, but they too end when there is none.
  const allGone = await waitUntil(async () => (await upstream.ask<number>('sockets')) === 0, 10_000)
  const givenUp = new Map(await upstream.ask<[number, number][]>('givenUp'))
  const delays = [...goneAt].flatMap(([id, at]) => (givenUp.has(id) ? [Math.max(0, (givenUp.get(id) ?? 0) - at)] : []))
  const p99 = quantile(delays, 0.99)
  return {
    id: 'R18',
    target: `${aborts} client aborts: each call that reached the upstream ends there (99 % in ${mostMilliseconds} ms), no socket to it is left`,
    measured: {
      callsAtUpstream: goneAt.size,
      ended: delays.length,
      p99Milliseconds: p99,
      slowestMilliseconds: Math.max(...delays),
      runningCalls: await upstream.ask<number>('running'),
      sockets: await upstream.ask<number>('sockets'),
    },
    pass: delays.length === goneAt.size && p99 <= mostMilliseconds && allEnded && allGone,
  }
}

async function abort(port: number, token: string, id: number, moment: Moment, arrivals: Arrivals): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const request = formatRequest(token, formatCall(id, moment === 'in the stream' ? 'stream' : 'hang'))
  socket.write(moment === 'in the body' ? request.slice(0, -100) : request)
  if (moment === 'in the stream') await once(socket, 'data')
  else if (moment === 'before the answer') await arrivals.waitFor(id)
  // What lies unfinished in the proxy shows nowhere; it has had a turn or two to get there.
  else await pause(5)
  socket.resetAndDestroy()
}

interface Arrivals {
  /** Resolves when the call is at the upstream. */
  waitFor(id: number): Promise<void>
  stop(): Promise<void>
}

/** Nothing comes back from a call that waits: only the upstream knows that it is there. */
function watchArrivals(upstream: Child): Arrivals {
  const waiters = new Map<number, { resolve: () => void; reject: (error: unknown) => void }>()
  let over = false
  const watch = async (): Promise<void> => {
    while (!over) {
      for (const id of await upstream.ask<number[]>('waiting')) waiters.get(id)?.resolve()
      await pause(10)
    }
  }
  const watching = watch()
  watching.catch((error: unknown) => {
    for (const { reject } of waiters.values()) reject(error)
  })
  return {
    waitFor: (id) => new Promise((resolve, reject) => waiters.set(id, { resolve, reject })),
    async stop() {
      over = true
      await watching
    },
  }
}
