import type { Child } from './child.ts'
import { startInstructionCounter } from './instructions.ts'
import type { Load } from './load.ts'
import { median } from './statistics.ts'

/** What one measurement of one process saw. */
export interface Sample {
  readonly requestsPerSecond: number
  /** Microseconds of processor time, user and system, of the measured process. */
  readonly cpuPerRequest: number
}

export interface Rounds {
  readonly count: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

/**
 * Measures several processes in turns, so that a machine that grows slower or faster meanwhile does so for all of them. Each round
 * begins with another one.
 *
 * @param upstream - behind all of them: counts the requests
 * @returns for each process a sample of each round
 */
export async function measureInRounds(
  processes: readonly Child[],
  upstream: Child,
  load: Load,
  rounds: Rounds,
  onRound: (round: number) => void,
): Promise<Map<Child, Sample[]>> {
  const samples = new Map<Child, Sample[]>(processes.map((child) => [child, []]))
  for (let round = 0; round < rounds.count; round++) {
    const first = round % processes.length
    for (const child of [...processes.slice(first), ...processes.slice(0, first)]) {
      samples.get(child)?.push(await measure(child, upstream, load, rounds))
    }
    onRound(round)
  }
  return samples
}

/** Measures a window within one run of the load, behind its beginning and before its end. */
async function measure(child: Child, upstream: Child, load: Load, { warmUpSeconds, seconds }: Rounds): Promise<Sample> {
  const running = load.run(child.port, Math.ceil(warmUpSeconds + seconds + 0.2))
  // Awaited below; until then its failure must not be nobody's.
  running.catch(() => {})
  await Promise.race([waitForRequest(upstream), running])
  await pause(warmUpSeconds)
  const before = await read(child, upstream)
  await pause(seconds)
  const after = await read(child, upstream)
  await running
  const requests = after.begun - before.begun
  return {
    requestsPerSecond: requests / ((after.at - before.at) / 1000),
    cpuPerRequest: (after.cpu - before.cpu) / requests,
  }
}

/** A load of many tokens takes its time to begin. */
async function waitForRequest(upstream: Child): Promise<void> {
  const begun = await upstream.ask<number>('begun')
  while ((await upstream.ask<number>('begun')) === begun) await pause(0.02)
}

async function read(child: Child, upstream: Child): Promise<{ cpu: number; begun: number; at: number }> {
  const cpu = await child.ask<number>('cpu')
  const begun = await upstream.ask<number>('begun')
  return { cpu, begun, at: performance.now() }
}

/**
 * Counts the instructions of a process for each request.
 *
 * @returns undefined where they cannot be counted (see `instructions.ts`)
 */
export async function countInstructions(child: Child, upstream: Child, load: Load, rounds: Rounds): Promise<number | undefined> {
  const running = load.run(child.port, Math.ceil(rounds.warmUpSeconds + rounds.seconds + 1))
  running.catch(() => {})
  const counter = await startInstructionCounter(child.pid)
  await pause(rounds.warmUpSeconds)
  await counter?.enable()
  const begun = await upstream.ask<number>('begun')
  await pause(rounds.seconds)
  await counter?.disable()
  const requests = (await upstream.ask<number>('begun')) - begun
  const instructions = await counter?.stop()
  await running
  return instructions === undefined ? undefined : instructions / requests
}

/** Lets processes answer, all at the same time, until their code is compiled and they have seen every token. */
export async function warmUp(processes: readonly Child[], load: Load, requests: number, mostSeconds: number): Promise<void> {
  const end = performance.now() + mostSeconds * 1000
  const warm = async (child: Child): Promise<void> => {
    let done = 0
    while (done < requests && performance.now() < end) done += (await load.run(child.port, 2)).requests
  }
  await Promise.all(processes.map(warm))
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

/** A ratio of two processes, made within each round: what both were slowed by cancels out. */
export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** @param of - what of a sample is compared */
export function compare(samples: readonly Sample[], yardstick: readonly Sample[], of: (sample: Sample) => number): Ratio {
  const ratios = samples.map((sample, round) => of(sample) / of(yardstick[round] ?? sample))
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}
