import { Worker } from 'node:worker_threads'
import { type Lane, openLane } from './lane.ts'
import { serveProbe } from './probe.ts'
import { quantile } from './statistics.ts'
import { formatCall, formatRequest } from './workload.ts'

/**
 * A load in a process of its own. At a fixed rate, requests are due at even times, whether or not earlier ones were answered, and how long
 * one takes is counted from when it was due (as wrk2 does): a server that stalls can't slow down the clients that would have noticed. The
 * first argument is the tokens.
 */

/** What is asked for. */
export interface FixedRate {
  readonly port: number
  readonly requestsPerSecond: number
  readonly seconds: number
}

/** Milliseconds from when requests were due to the end of their answers. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly most: number
}

const LANES = 64
const TICK_MS = 0.25
/** How long what is due may be late at the end. */
const DRAIN_MS = 10_000

const tokens = JSON.parse(process.argv[2] ?? '') as readonly string[]
const requests = tokens.map((token, id) => Buffer.from(formatRequest(token, formatCall(id))))
let sent = 0

function nextRequest(): Buffer {
  return requests[sent++ % requests.length] as Buffer
}

/** @returns requests a second, when each connection sends the next as soon as it has its answer */
function measureCapacity({ port, seconds }: Omit<FixedRate, 'requestsPerSecond'>): Promise<number> {
  return new Promise((resolve, reject) => {
    let answered = 0
    const again = (lane: Lane): void => {
      answered++
      lane.send(nextRequest())
    }
    const lanes = Array.from({ length: LANES }, () => openLane(port, again, reject))
    for (const lane of lanes) lane.send(nextRequest())
    setTimeout(() => {
      for (const lane of lanes) lane.close()
      resolve(answered / seconds)
    }, seconds * 1000)
  })
}

async function measureLatency({ port, requestsPerSecond, seconds }: FixedRate): Promise<Latency> {
  const latencies = await new Promise<number[]>((resolve, reject) => {
    const run = new Run(requestsPerSecond, seconds, port, reject)
    const pacer = new Worker(new URL('pacer.ts', import.meta.url), { workerData: TICK_MS })
    run.onOver = (measured) => {
      pacer.removeAllListeners('message')
      void pacer.terminate().then(() => resolve(measured))
    }
    pacer.on('message', () => run.tick())
    pacer.on('error', reject)
  })
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), most: quantile(latencies, 1) }
}

class Run {
  onOver: (latencies: number[]) => void = () => {}
  readonly #perTick: number
  readonly #ticks: number
  readonly #lanes: readonly Lane[]
  readonly #idle: Lane[]
  readonly #dueTimes = new Map<Lane, number>()
  readonly #late: number[] = []
  readonly #latencies: number[] = []
  readonly #fail: (error: Error) => void
  #startedAt: number | undefined
  #ticked = 0
  #due = 0

  constructor(requestsPerSecond: number, seconds: number, port: number, fail: (error: Error) => void) {
    this.#perTick = (requestsPerSecond * TICK_MS) / 1000
    this.#ticks = Math.round((seconds * 1000) / TICK_MS)
    this.#fail = fail
    this.#lanes = Array.from({ length: LANES }, () => openLane(port, (lane) => this.#finish(lane), fail))
    this.#idle = [...this.#lanes]
  }

  /** Sends what has become due, by the clock and not by how often this is called. */
  tick(): void {
    const now = performance.now()
    this.#startedAt ??= now
    const passed = Math.min(this.#ticks, Math.floor((now - this.#startedAt) / TICK_MS))
    while (this.#ticked < passed) this.#makeDue(this.#startedAt + ++this.#ticked * TICK_MS)
    if (this.#ticked === this.#ticks) this.#drain(now - this.#startedAt)
  }

  #makeDue(dueAt: number): void {
    for (; this.#due < Math.floor(this.#ticked * this.#perTick); this.#due++) {
      const lane = this.#idle.pop()
      if (lane === undefined) this.#late.push(dueAt)
      else this.#send(lane, dueAt)
    }
  }

  #send(lane: Lane, dueAt: number): void {
    this.#dueTimes.set(lane, dueAt)
    lane.send(nextRequest())
  }

  #finish(lane: Lane): void {
    this.#latencies.push(performance.now() - (this.#dueTimes.get(lane) ?? Number.NaN))
    const dueAt = this.#late.shift()
    if (dueAt === undefined) this.#idle.push(lane)
    else this.#send(lane, dueAt)
  }

  #drain(passedMs: number): void {
    if (this.#latencies.length === this.#due) {
      for (const lane of this.#lanes) lane.close()
      this.onOver(this.#latencies)
    } else if (passedMs > this.#ticks * TICK_MS + DRAIN_MS) {
      this.#fail(new Error(`${this.#due - this.#latencies.length} requests have no answer`))
    }
  }
}

serveProbe(0, { capacity: measureCapacity, latency: measureLatency })
