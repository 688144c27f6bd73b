import type { Profiler } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { startIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { createLoad } from './load.ts'
import { createLogSink } from './log-sink.ts'
import { audience } from './plan.ts'
import { formatTable } from './table.ts'
import { mintTokens } from './workload.ts'

/**
 * Where the time of the proxy goes, beside the pass-through: microseconds per request by part (our own folders, libraries, Node), then
 * function by function, those first that cost the proxy most on top. Sampled, so small numbers are rough.
 */

const seconds = 8
const warmUpSeconds = 3
const mostFunctions = 60
const root = fileURLToPath(new URL('..', import.meta.url))

const issuer = await startIssuer({ audience })
const tokens = await mintTokens(issuer, 1000)
const load = createLoad(tokens)
const log = createLogSink()
const upstream = await startChild('upstream.ts')
const argument = { upstreamPort: upstream.port, issuer: issuer.issuer }
const processes = [
  await startChild('pass-through.ts', { argument }),
  await startChild('proxy.ts', { argument, output: log.descriptor }),
]
try {
  const [bare, own] = [await profile(processes[0]!), await profile(processes[1]!)]
  console.log(formatParts(bare, own))
  console.log(`\n${formatFunctions(bare, own)}`)
} finally {
  await Promise.all([upstream, ...processes].map((child) => child.stop()))
  load.remove()
  log.remove()
  await issuer.close()
}

/** Microseconds per request, by function and where it stands. */
type Costs = ReadonlyMap<string, number>

async function profile(child: Child): Promise<Costs> {
  await load.run(child.port, warmUpSeconds)
  const begun = await upstream.ask<number>('begun')
  await child.ask('startProfile')
  await load.run(child.port, seconds)
  const recorded = await child.ask<Profiler.Profile>('stopProfile')
  return sumSelfTimes(recorded, (await upstream.ask<number>('begun')) - begun)
}

function sumSelfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, requests: number): Costs {
  const names = new Map(nodes.map((node) => [node.id, describe(node.callFrame)]))
  const costs = new Map<string, number>()
  samples.forEach((id, i) => {
    const name = names.get(id) ?? ''
    costs.set(name, (costs.get(name) ?? 0) + (timeDeltas[i] ?? 0) / requests)
  })
  return costs
}

function describe({ functionName, url, lineNumber }: Profiler.ProfileNode['callFrame']): string {
  const name = functionName || '(anonymous)'
  if (url === '') return name
  return `${name} ${url.replace(`file://${root}`, '').replace(root, '')}:${lineNumber + 1}`
}

function formatParts(bare: Costs, own: Costs): string {
  const parts = new Set([...bare.keys(), ...own.keys()].map(partOf))
  const sum = (costs: Costs, part: string): number =>
    [...costs].reduce((total, [name, cost]) => (partOf(name) === part ? total + cost : total), 0)
  const rows = [...parts].map((part): [string, number, number] => [part, sum(bare, part), sum(own, part)])
  rows.sort((a, b) => b[2] - a[2])
  const cells = rows.map(([part, less, more]) => [part, less.toFixed(1), more.toFixed(1), (more - less).toFixed(1)])
  return formatTable([['µs per request', 'pass-through', 'proxy', 'difference'], ...cells])
}

function partOf(name: string): string {
  if (/^\(\w+( \w+)?\)$/.test(name)) return name
  return /(?:node_modules\/[^/]+|dist\/[^/:]+|bench|node:[a-z_]+)/.exec(name)?.[0] ?? 'native'
}

function formatFunctions(bare: Costs, own: Costs): string {
  const rows = [...own].map(([name, cost]): [string, number, number] => [name, bare.get(name) ?? 0, cost])
  rows.sort((a, b) => b[2] - b[1] - (a[2] - a[1]))
  const cells = rows.slice(0, mostFunctions).map(([name, less, more]) => [name, less.toFixed(2), more.toFixed(2)])
  return formatTable([['function', 'pass-through', 'proxy'], ...cells])
}
