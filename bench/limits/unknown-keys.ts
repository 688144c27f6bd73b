import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import { path, publicHost } from '../plan.ts'
import type { TrafficReport } from '../valid-traffic.ts'
import { clientHeaders, formatCall } from '../workload.ts'
import { type Measured, pause, type Setting } from './measured.ts'

const perSecond = 1000
const seconds = 10
const tokensToTry = perSecond * seconds
const validPerSecond = 100
const mostFetches = 1
/** Below this a difference is the machine's. */
const unnoticedMilliseconds = 20

/**
 * R21: tokens that each name another key nobody knows, beside ordinary calls. What these calls are compared with is how they fare beside
 * as many tokens that are no tokens at all: where everybody shares two processors, any thousand requests a second make others wait. Those
 * come first also to have what refuses compiled, which takes the processor for the first half second of any flood.
 */
export async function measureUnknownKeys({ proxy, tokens, startTraffic, countKeyFetches }: Setting): Promise<Measured> {
  const traffic = await startTraffic(validPerSecond)
  const report = () => traffic.ask<TrafficReport>('report')
  await pause(2000)
  await report()
  await pause(4000)
  const calm = await report()
  await flood(proxy.port, 2, () => 'no.token.atall')
  await report()
  await flood(proxy.port, seconds, () => 'no.token.atall')
  const beside = await report()
  const fetches = countKeyFetches()
  const statuses = await flood(proxy.port, seconds, () => nameUnknownKey(tokens[0] ?? ''))
  const during = await report()
  const fetched = countKeyFetches() - fetches
  const slower = during.p99 <= Math.max(2 * beside.p99, unnoticedMilliseconds)
  const refused = statuses.get(401) ?? 0
  return {
    id: 'R21',
    target: `${tokensToTry} unknown kids in ${seconds} s: all 401, at most ${mostFetches} fetch of keys, valid calls without failure and p99 at most doubled (or ${unnoticedMilliseconds} ms)`,
    measured: {
      refused,
      others: [...statuses]
        .filter(([status]) => status !== 401)
        .map(([status, count]) => `${status}: ${count}`)
        .join(', '),
      keyFetches: fetched,
      validCalls: during.calls,
      validFailures: during.failures,
      p99Calm: Number(calm.p99.toFixed(1)),
      p99BesideOtherRefusals: Number(beside.p99.toFixed(1)),
      p99During: Number(during.p99.toFixed(1)),
    },
    pass: refused === tokensToTry && fetched <= mostFetches && during.calls > 0 && during.failures === 0 && slower,
  }
}

/** Sends bad tokens at an even rate. Returns how often each status came; 0 stands for no answer. */
async function flood(port: number, forSeconds: number, createToken: () => string): Promise<Map<number, number>> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 200, pipelining: 1 })
  const statuses = new Map<number, number>()
  const answers: Promise<void>[] = []
  const send = async (): Promise<void> => {
    const status = await sendForged(pool, createToken()).catch(() => 0)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const startedAt = performance.now()
  while (answers.length < perSecond * forSeconds) {
    const due = Math.min(perSecond * forSeconds, ((performance.now() - startedAt) / 1000) * perSecond)
    while (answers.length < due) answers.push(send())
    await pause(5)
  }
  await Promise.all(answers)
  await pool.close()
  return statuses
}

async function sendForged(pool: Pool, token: string): Promise<number> {
  const headers = { ...clientHeaders, Host: publicHost, Authorization: `Bearer ${token}` }
  const response = await pool.request({ method: 'POST', path, headers, body: formatCall(1) })
  await response.body.dump()
  return response.statusCode
}

/** A good token, with a key id of its own in the header; whoever finds no key never gets to see that its signature is none. */
function nameUnknownKey(token: string): string {
  const [, payload, signature] = token.split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: randomUUID() })).toString('base64url')
  return `${header}.${payload}.${signature}`
}
