import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { collectGarbage } from '../src/core/collect-garbage.ts'

/** A question of the parent process, and what comes back. */
export interface Question {
  readonly id: number
  readonly name: string
  readonly argument?: unknown
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

export type Answers = Readonly<Record<string, (argument: never) => unknown>>

/**
 * Lets the parent process ask about this one: what it has cost, what it holds, and where its time goes. Ends with the parent.
 *
 * @param port - where this process listens
 * @param more - further answers, by the name of the question
 */
export function serveProbe(port: number, more: Answers = {}): void {
  const answers: Answers = { ...usualAnswers, ...more }
  process.on('message', (question: Question) => void answer(question, answers))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ id: 0, value: port } satisfies Answer)
}

async function answer({ id, name, argument }: Question, answers: Answers): Promise<void> {
  try {
    const value = await answers[name]?.(argument as never)
    process.send?.({ id, value } satisfies Answer)
  } catch (error) {
    process.send?.({ id, error: String(error) } satisfies Answer)
  }
}

const RESOLUTION_MS = 5
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
/** Milliseconds of processor time of the thread of the event loop between one tick and the next. */
const work: number[] = []

function startDelays(): void {
  delays.enable()
  let before = process.threadCpuUsage()
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(before)
    before = process.threadCpuUsage()
    work.push((user + system) / 1000)
  }, RESOLUTION_MS).unref()
}

function findWorkP999(): number {
  const sorted = work.splice(0).sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length * 0.999)] ?? 0
}

const usualAnswers: Answers = {
  cpu: measureCpu,
  resident: measureResident,
  residentNow: () => process.memoryUsage.rss(),
  memory: () => process.memoryUsage(),
  startDelays,
  delayP999: () => delays.percentile(99.9) / 1e6,
  workP999: findWorkP999,
  startProfile,
  stopProfile,
}

/** Microseconds of processor time, user and system, of every thread. */
function measureCpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Bytes of resident memory, rubbish collected. */
async function measureResident(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collectGarbage('major')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return process.memoryUsage.rss()
}

const session = new Session()

async function startProfile(): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
}

async function stopProfile(): Promise<unknown> {
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return profile
}
