import { Pool } from 'undici'
import { path, publicHost } from './plan.ts'
import { serveProbe } from './probe.ts'
import { quantile } from './statistics.ts'
import { clientHeaders, formatCall } from './workload.ts'

/**
 * Ordinary clients, in a process of their own: call at an even rate until they are asked how it went. The first argument is a
 * {@link TrafficArgument}.
 */

export interface TrafficArgument {
  readonly port: number
  readonly tokens: readonly string[]
  readonly callsPerSecond: number
}

/** How the calls since the last report went. */
export interface TrafficReport {
  readonly calls: number
  readonly failures: number
  /** Milliseconds that at most one in a hundred calls took longer than. */
  readonly p99: number
  /** What failed first. */
  readonly firstFailure: string | undefined
}

const { port, tokens, callsPerSecond } = JSON.parse(process.argv[2] ?? '') as TrafficArgument
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 20, pipelining: 1 })

let durations: number[] = []
let failures: string[] = []
let sent = 0

async function call(): Promise<void> {
  const token = tokens[sent++ % tokens.length]
  const headers = { ...clientHeaders, Host: publicHost, Authorization: `Bearer ${token}` }
  const startedAt = performance.now()
  try {
    const response = await pool.request({ method: 'POST', path, headers, body: formatCall(sent) })
    await response.body.text()
    if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`)
  } catch (error) {
    failures.push(String(error))
  }
  durations.push(performance.now() - startedAt)
}

function report(): TrafficReport {
  const result = { calls: durations.length, failures: failures.length, p99: quantile(durations, 0.99), firstFailure: failures[0] }
  durations = []
  failures = []
  return result
}

setInterval(() => void call(), 1000 / callsPerSecond)
serveProbe(0, { report })
