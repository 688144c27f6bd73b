import { parseArgs } from 'node:util'
import { type Child, startChild } from './child.ts'
import { type Contenders, withContenders } from './contenders.ts'
import type { FixedRate, Latency } from './open-loop.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'

/**
 * How long a `tools/call` of 300 bytes takes at 30, 60 and 80 % of what the proxy can do, counted from when it was due (see
 * `open-loop.ts`): through the proxy, a bare pass-through and others at the same rate, in turns, and to the upstream itself, which shows
 * what the load and the machine take. `--quick` takes fewer turns.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rounds = flags.quick ? 2 : 6
const seconds = flags.quick ? 1 : 1.6
/** As many as an argument of a process holds. */
const tokenCount = 100
const parts = [0.3, 0.6, 0.8]
const capacityRuns = 5
const warmUpSeconds = flags.quick ? 6 : 15

await withContenders(tokenCount, async (contenders) => {
  const client = await startChild('open-loop.ts', { argument: contenders.tokens })
  try {
    const capacity = await measureCapacity(client, contenders)
    console.log(`\n${capacity.toFixed(0)} calls a second over 64 connections are what the proxy can do here`)
    for (const part of parts) console.log(await measureAt(part, capacity, client, contenders))
  } finally {
    await client.stop()
  }
})

async function measureCapacity(client: Child, { passThrough, proxy }: Contenders): Promise<number> {
  for (const { port } of [passThrough, proxy]) await client.ask('capacity', { port, seconds: warmUpSeconds })
  const measured: number[] = []
  for (let run = 0; run < capacityRuns; run++) measured.push(await client.ask('capacity', { port: proxy.port, seconds: 1 }))
  return median(measured)
}

async function measureAt(part: number, capacity: number, client: Child, { upstream, all }: Contenders): Promise<string> {
  const requestsPerSecond = Math.round(part * capacity)
  const targets = [{ ...upstream, name: 'upstream direct' }, ...all]
  const latencies = targets.map((): Latency[] => [])
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < targets.length; turn++) {
      const place = (round + turn) % targets.length
      const rate: FixedRate = { port: targets[place]?.port ?? 0, requestsPerSecond, seconds }
      latencies[place]?.push(await client.ask<Latency>('latency', rate))
    }
  }
  const middle = (of: readonly Latency[] = [], which: keyof Latency): string =>
    median(of.map((latency) => latency[which])).toFixed(2)
  const rows = targets.map(({ name }, place) => [
    name,
    middle(latencies[place], 'p50'),
    middle(latencies[place], 'p99'),
    middle(latencies[place], 'most'),
  ])
  const heading = ['milliseconds', 'p50', 'p99', 'most']
  const what = `${part * 100} %: ${requestsPerSecond} calls a second, ${rounds} rounds of ${seconds} s, medians of the rounds`
  return `\n${what}\n\n${formatTable([heading, ...rows])}`
}
