import { parseArgs } from 'node:util'
import type { Child } from './child.ts'
import { type Contenders, withContenders } from './contenders.ts'
import { createLoad, type Load } from './load.ts'
import { calledTool } from './plan.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'
import { compare, measureInRounds, type Rounds, type Sample, warmUp } from './throughput.ts'

/**
 * What each kind of traffic costs, beside a bare pass-through and beside HAProxy, nginx and Envoy where they are installed: processor time
 * a request, in turns. Arguments name the flows (`calls`, `events`, `trickle`, `long`, `tokens`); without any, all. `--quick` takes fewer
 * turns.
 */

interface Flow {
  readonly what: string
  readonly tool: string
  readonly tokens: number
  /** The most of HAProxy's processor time. */
  readonly aim?: number
}

const flows: Readonly<Record<string, Flow>> = {
  calls: { what: 'tools/call of 300 bytes, 1,000 known tokens', tool: calledTool, tokens: 1000, aim: 1 },
  events: { what: 'an answer as an event stream of 200 events, each flushed', tool: 'event_stream', tokens: 1000, aim: 0.65 },
  trickle: { what: 'the same, but each event in another turn of 32 streams', tool: 'event_trickle', tokens: 1000 },
  long: { what: 'an answer of 1 MiB', tool: 'long_answer', tokens: 1000, aim: 1.8 },
  tokens: { what: 'tools/call of 300 bytes, 30,000 tokens in turn', tool: calledTool, tokens: 30_000, aim: 1.9 },
}

const residentAim = 150
const firstRunSeconds = 5
/** Until our code is compiled; proxies of others have nothing to compile. */
const warmUpRequests = 100_000
const warmUpSeconds = 25

const { values: flags, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
})
// While the others have their turn, a process rests, and V8 drops compiled code: of a busy proxy it would not.
const rounds: Rounds = { count: flags.quick ? 3 : 7, warmUpSeconds: 1.5, seconds: 1.4 }

for (const name of positionals.length > 0 ? positionals : Object.keys(flows)) {
  const flow = flows[name]
  if (flow === undefined) throw new Error(`no flow ${name}; there are ${Object.keys(flows).join(', ')}`)
  await withContenders(flow.tokens, async (contenders) => {
    const load = createLoad(contenders.tokens, flow.tool)
    try {
      if (name === 'calls') {
        const processes = [...contenders.all, contenders.installed]
        console.log(formatResident(processes, await measureFirstRuns(processes, load)))
      }
      console.log(formatCosts(flow, contenders, await measure(contenders, load)))
    } finally {
      load.remove()
    }
  })
}

type Measured = ReadonlyMap<Child, readonly Sample[]>

async function measure({ upstream, passThrough, proxy, peers, all }: Contenders, load: Load): Promise<Measured> {
  // One after the other: an upstream that is busy with the answers of one would let another wait.
  for (const child of [passThrough, proxy]) await warmUp([child], load, warmUpRequests, warmUpSeconds)
  for (const peer of peers) await warmUp([peer], load, 1, 1)
  return measureInRounds(all, upstream, load, rounds, () => {})
}

/** @returns bytes of resident memory of each process, right after its first run; nothing is collected before */
async function measureFirstRuns(processes: readonly Child[], load: Load): Promise<number[]> {
  const resident: number[] = []
  for (const child of processes) {
    await load.run(child.port, firstRunSeconds)
    resident.push(await child.ask<number>('residentNow'))
  }
  return resident
}

function formatCosts({ what, aim }: Flow, { passThrough, proxy, peers, all }: Contenders, measured: Measured): string {
  const samplesOf = (child: Child | undefined): readonly Sample[] => (child && measured.get(child)) ?? []
  const cpu = (sample: Sample): number => sample.cpuPerRequest
  const bare = samplesOf(passThrough)
  const best = samplesOf(peers.find(({ name }) => name === 'HAProxy'))
  const rows = all.map((child) => {
    const own = samplesOf(child)
    const [toBest, toBare] = [compare(own, best, cpu), compare(own, bare, cpu)]
    const spread = `${toBest.least.toFixed(2)} - ${toBest.most.toFixed(2)}`
    const beside = best.length > 0 ? [toBest.median.toFixed(2), spread] : ['', '']
    return [child.name, median(own.map(cpu)).toFixed(1), ...beside, toBare.median.toFixed(2)]
  })
  const heading = ['', 'CPU µs/request', '× HAProxy', 'least - most', '× pass-through']
  const table = `\n${what}; ${rounds.count} rounds of ${rounds.seconds} s\n\n${formatTable([heading, ...rows])}\n`
  if (best.length === 0 || aim === undefined) return table
  const ratio = compare(samplesOf(proxy), best, cpu).median
  return `${table}\nproxy: ${ratio.toFixed(2)} × HAProxy, aim ${aim}: ${ratio <= aim ? 'met' : 'missed'}\n`
}

function formatResident(processes: readonly Child[], resident: readonly number[]): string {
  const mebibytes = (bytes = Number.NaN): string => (bytes / 1024 / 1024).toFixed(0)
  const rows = processes.map((child, place) => [child.name, mebibytes(resident[place])])
  return `resident memory after the first run of ${firstRunSeconds} s; aim of the command ${residentAim}\n\n${formatTable([['', 'MiB'], ...rows])}\n`
}
