import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { createLoad, type Load } from './load.ts'
import { createLogSink } from './log-sink.ts'
import { audience } from './plan.ts'
import { median } from './statistics.ts'
import { measureStreams } from './streams.ts'
import { formatTable } from './table.ts'
import { compare, countInstructions, measureInRounds, type Ratio, type Rounds, type Sample, warmUp } from './throughput.ts'
import { mintTokens } from './workload.ts'

/**
 * What the proxy costs beside a bare pass-through and beside the upstream itself. Ends by itself, in under three minutes; with
 * `--quick` in under 40 seconds and with less certainty.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })

const tokenCount = 1000
/** Against the pass-through: what a stream takes depends on the machine and its Node. */
const aims = { cpu: 1.25, stream: 1.29, observed: 1.1 }
const rounds: Rounds = { count: flags.quick ? 2 : 12, warmUpSeconds: 0.4, seconds: 1.4 }
/** Requests until the code of each process is compiled; less on a machine that is too busy for that. */
const warmUpRequests = 100_000
const warmUpSeconds = flags.quick ? 7 : 45
const streamCount = flags.quick ? 1000 : 5000

interface Bench {
  readonly upstream: Child
  readonly passThrough: Child
  readonly proxy: Child
  /** With metrics and audit. */
  readonly observed: Child
}

if (!existsSync(new URL('../dist/app.js', import.meta.url))) throw new Error('build first: npm run build')
const issuer = await startIssuer({ audience })
const tokens = await mintTokens(issuer, tokenCount)
const load = createLoad(tokens)
const log = createLogSink()
try {
  const used = await withProcesses(async (bench) => {
    console.log(formatThroughput(await measureThroughput(bench, load), load.tool))
    return flags.quick ? undefined : measureMemory(bench)
  })
  console.log(`\n${formatMemory(await withProcesses(measureMemory), used)}`)
} finally {
  load.remove()
  log.remove()
  await issuer.close()
}

/** Starts new processes, and ends them after what is done with them. */
async function withProcesses<T>(measure: (bench: Bench) => Promise<T>): Promise<T> {
  const started: Child[] = []
  const start = async (...args: Parameters<typeof startChild>): Promise<Child> => {
    const child = await startChild(...args)
    started.push(child)
    return child
  }
  try {
    const upstream = await start('upstream.ts')
    const argument = { upstreamPort: upstream.port, issuer: issuer.issuer }
    const passThrough = await start('pass-through.ts', { argument })
    const proxy = await start('proxy.ts', { argument, output: log.descriptor })
    const observed = await start('proxy.ts', { argument: { ...argument, auditFile: log.auditFile }, output: log.descriptor })
    return await measure({ upstream, passThrough, proxy, observed })
  } finally {
    await Promise.all(started.map((child) => child.stop()))
  }
}

type Named<T> = readonly (readonly [name: string, value: T])[]

interface Measurement {
  readonly samples: readonly Sample[]
  /** For each request; undefined where they cannot be counted. */
  readonly instructions: number | undefined
}

async function measureThroughput({ upstream, passThrough, proxy, observed }: Bench, by: Load): Promise<Named<Measurement>> {
  const processes = [upstream, passThrough, proxy, observed]
  progress('warming up')
  await warmUp(processes, by, warmUpRequests, warmUpSeconds)
  const written = log.size()
  const samples = await measureInRounds(processes, upstream, by, rounds, (round) =>
    progress(`round ${round + 1}/${rounds.count}`),
  )
  if (log.size() === written) throw new Error('the proxy has logged nothing')
  const named = [
    ['upstream direct', upstream],
    ['pass-through', passThrough],
    ['proxy', proxy],
    ['proxy, observed', observed],
  ] as const
  const measurements: [string, Measurement][] = []
  for (const [name, child] of named) {
    const instructions = flags.quick ? undefined : await countInstructions(child, upstream, by, rounds)
    measurements.push([name, { samples: samples.get(child) ?? [], instructions }])
  }
  return measurements
}

async function measureMemory({ passThrough, proxy }: Bench): Promise<Named<number>> {
  progress(`${streamCount} event streams`)
  const bare = await measureStreams(passThrough, streamCount, tokens)
  return [
    ['pass-through', bare],
    ['proxy', await measureStreams(proxy, streamCount, tokens)],
  ]
}

function formatThroughput(measurements: Named<Measurement>, tool: string): string {
  const yardstick = measurements[1]?.[1] ?? { samples: [], instructions: undefined }
  const rows = measurements.map(([name, own]) => {
    const speed = compare(own.samples, yardstick.samples, (sample) => sample.requestsPerSecond)
    const cpu = compare(own.samples, yardstick.samples, (sample) => sample.cpuPerRequest)
    return [
      name,
      median(own.samples.map((sample) => sample.requestsPerSecond)).toFixed(0),
      speed.median.toFixed(2),
      median(own.samples.map((sample) => sample.cpuPerRequest)).toFixed(1),
      cpu.median.toFixed(3),
      `${cpu.least.toFixed(3)} - ${cpu.most.toFixed(3)}`,
      own.instructions === undefined ? '' : (own.instructions / 1000).toFixed(0),
      own.instructions === undefined ? '' : (own.instructions / (yardstick.instructions ?? Number.NaN)).toFixed(3),
    ]
  })
  const heading = ['', 'requests/s', '×', 'CPU µs/request', '×', 'least - most', '1000 instructions', '×']
  const [, , proxy = [], observed = []] = measurements.map(([, { samples }]) => samples)
  const cpu = (sample: Sample): number => sample.cpuPerRequest
  return [
    `${tokenCount} tokens (RS256), ${rounds.count} rounds of ${rounds.seconds} s, load by ${tool}; ×: against the pass-through, median of the rounds\n`,
    formatTable([heading, ...rows]),
    `\nCPU per request of the proxy: ${formatVerdict(compare(proxy, yardstick.samples, cpu), 'pass-through', aims.cpu)}`,
    `CPU per request with metrics and audit: ${formatVerdict(compare(observed, proxy, cpu), 'without', aims.observed)}`,
  ].join('\n')
}

function formatVerdict({ median: ratio }: Ratio, yardstick: string, aim: number): string {
  return `${ratio.toFixed(2)} × ${yardstick}, aim ${aim}: ${ratio <= aim ? 'met' : 'missed'}`
}

/** @param used - the same of processes that have served calls before; what they took for that is there for the streams too */
function formatMemory(fresh: Named<number>, used: Named<number> | undefined): string {
  const rows = fresh.map(([name, value], i) => [name, value.toFixed(1), used?.[i]?.[1].toFixed(1) ?? ''])
  const ratio = (fresh[1]?.[1] ?? Number.NaN) / (fresh[0]?.[1] ?? Number.NaN)
  return [
    `${streamCount} idle event streams, KiB of resident memory each\n`,
    formatTable([['', 'new process', 'used process'], ...rows]),
    `\nMemory of the proxy: ${ratio.toFixed(2)} × pass-through in a new process, aim ${aims.stream}: ${ratio <= aims.stream ? 'met' : 'missed'}`,
  ].join('\n')
}

/** Goes by while a person waits; not part of the result. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${what}`)
}
