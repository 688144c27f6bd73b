import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startIssuer, type TestIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { createLoad, type Load } from './load.ts'
import { createLogSink } from './log-sink.ts'
import { envoy } from './peers/envoy.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import { checkRefusal, type PeerTrust, startPeer } from './peers/peer.ts'
import { audience, calledTool } from './plan.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'
import { compare, measureInRounds, type Rounds, type Sample, warmUp } from './throughput.ts'
import { mintTokens } from './workload.ts'

/**
 * What each kind of traffic costs, beside a bare pass-through and beside HAProxy, nginx and Envoy where they are installed: processor time
 * a request, in turns. Arguments name the flows (`calls`, `events`, `long`, `tokens`); without any, all. `--quick` takes fewer turns.
 */

interface Flow {
  readonly what: string
  readonly tool: string
  readonly tokens: number
  /** The most of HAProxy's processor time. */
  readonly aim: number
}

const flows: Readonly<Record<string, Flow>> = {
  calls: { what: 'tools/call of 300 bytes, 1,000 known tokens', tool: calledTool, tokens: 1000, aim: 1 },
  events: { what: 'an answer as an event stream of 200 events, each flushed', tool: 'event_stream', tokens: 1000, aim: 0.65 },
  long: { what: 'an answer of 1 MiB', tool: 'long_answer', tokens: 1000, aim: 1.8 },
  tokens: { what: 'tools/call of 300 bytes, 30,000 tokens in turn', tool: calledTool, tokens: 30_000, aim: 1.9 },
}

const residentAim = 150
const firstRunSeconds = 5
/** Until the code of the first two, which are ours, is compiled; the others have nothing to compile. */
const warmUpRequests = 100_000
const warmUpSeconds = 25

const { values: flags, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const rounds: Rounds = { count: flags.quick ? 3 : 7, warmUpSeconds: 0.3, seconds: 1.4 }

if (!existsSync(new URL('../dist/app.js', import.meta.url))) throw new Error('build first: npm run build')
for (const name of positionals.length > 0 ? positionals : Object.keys(flows)) {
  const flow = flows[name]
  if (flow === undefined) throw new Error(`no flow ${name}; there are ${Object.keys(flows).join(', ')}`)
  await withProcesses(flow, async (processes, upstream, load) => {
    const resident = name === 'calls' ? await measureFirstRuns(processes, load) : undefined
    console.log(formatCosts(flow, processes, await measure(processes, upstream, load)))
    if (resident !== undefined) console.log(formatResident(processes, resident))
  })
}

async function withProcesses(
  flow: Flow,
  use: (processes: readonly Child[], upstream: Child, load: Load) => Promise<void>,
): Promise<void> {
  const issuer = await startIssuer({ audience })
  const tokens = await mintTokens(issuer, flow.tokens)
  const load = createLoad(tokens, flow.tool)
  const log = createLogSink()
  const started: Child[] = []
  const keep = (child: Child): Child => {
    started.push(child)
    return child
  }
  try {
    const upstream = keep(await startChild('upstream.ts'))
    const argument = { upstreamPort: upstream.port, issuer: issuer.issuer }
    keep(await startChild('pass-through.ts', { argument }))
    keep({ ...(await startChild('proxy.ts', { argument, output: log.descriptor })), name: 'proxy' })
    for (const kind of [haproxy, envoy, nginx]) {
      const peer = await startPeer(kind, createTrust(issuer, upstream.port))
      if (peer === undefined) console.log(`${kind.name} is not installed: left out`)
      else if (kind.verifies) await checkRefusal(keep(peer), tokens[0] ?? '')
      else keep(peer)
    }
    await use(started.slice(1), upstream, load)
  } finally {
    await Promise.all(started.map((child) => child.stop()))
    load.remove()
    log.remove()
    await issuer.close()
  }
}

function createTrust({ issuer, signingKey }: TestIssuer, upstreamPort: number): PeerTrust {
  const { publicJwk } = signingKey
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' }).toString()
  return { upstreamPort, issuer, audience, publicKey, keySet: JSON.stringify({ keys: [publicJwk] }) }
}

type Measured = ReadonlyMap<Child, readonly Sample[]>

async function measure(processes: readonly Child[], upstream: Child, load: Load): Promise<Measured> {
  await warmUp(processes.slice(0, 2), load, warmUpRequests, warmUpSeconds)
  await warmUp(processes.slice(2), load, 1, 1)
  return measureInRounds(processes, upstream, load, rounds, () => {})
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

function formatCosts({ what, aim }: Flow, processes: readonly Child[], measured: Measured): string {
  const samplesOf = (name: string): readonly Sample[] => measured.get(processes.find((child) => child.name === name)!) ?? []
  const cpu = (sample: Sample): number => sample.cpuPerRequest
  const [bare, best] = [samplesOf('pass-through.ts'), samplesOf(haproxy.name)]
  const rows = processes.map((child) => {
    const own = measured.get(child) ?? []
    const [toBest, toBare] = [compare(own, best, cpu), compare(own, bare, cpu)]
    const spread = `${toBest.least.toFixed(2)} - ${toBest.most.toFixed(2)}`
    const beside = best.length > 0 ? [toBest.median.toFixed(2), spread] : ['', '']
    return [child.name, median(own.map(cpu)).toFixed(1), ...beside, toBare.median.toFixed(2)]
  })
  const ratio = compare(samplesOf('proxy'), best, cpu).median
  const verdict =
    best.length > 0 ? `\nproxy: ${ratio.toFixed(2)} × HAProxy, aim ${aim}: ${ratio <= aim ? 'met' : 'missed'}\n` : ''
  const heading = ['', 'CPU µs/request', '× HAProxy', 'least - most', '× pass-through']
  return `\n${what}; ${rounds.count} rounds of ${rounds.seconds} s\n\n${formatTable([heading, ...rows])}\n${verdict}`
}

function formatResident(processes: readonly Child[], resident: readonly number[]): string {
  const mebibytes = (bytes = Number.NaN): string => (bytes / 1024 / 1024).toFixed(0)
  const rows = processes.map((child, place) => [child.name, mebibytes(resident[place])])
  return `resident memory after the first run of ${firstRunSeconds} s; aim ${residentAim}\n\n${formatTable([['', 'MiB'], ...rows])}\n`
}
