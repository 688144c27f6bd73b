import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { startIssuer } from '../test/support/tokens.ts'
import { type Child, startChild } from './child.ts'
import { createLoad } from './load.ts'
import { createLogSink } from './log-sink.ts'
import { audience, type RuleSet } from './plan.ts'
import { median, quantile } from './statistics.ts'
import { formatTable } from './table.ts'
import { measureInRounds, type Rounds, type Sample, warmUp } from './throughput.ts'
import { mintTokens } from './workload.ts'

/**
 * What whole calls cost with more rules, and in another checkout: processor time a call, in turns, each beside a dozen scope rules of this
 * checkout. `--against FOLDER` adds the proxy of another checkout that is built.
 */

const { values: flags } = parseArgs({
  options: { against: { type: 'string' }, quick: { type: 'boolean', default: false } },
})

const rounds: Rounds = { count: flags.quick ? 3 : 30, warmUpSeconds: 0.3, seconds: 0.9 }
const warmUpRequests = 60_000
const warmUpSeconds = 60

const issuer = await startIssuer({ audience })
const load = createLoad(await mintTokens(issuer, 1000))
const log = createLogSink()
const started: Child[] = []
try {
  const upstream = await start('upstream.ts', {})
  const proxies: [name: string, proxy: Child][] = [
    ['a dozen scope rules', await startProxy(upstream, 'dozen')],
    ['200 rules, expressions about other tools', await startProxy(upstream, 'many')],
    ['200 rules, an expression about the call', await startProxy(upstream, 'expression')],
    ['a dozen scope rules, and an assertion of who calls', await startProxy(upstream, 'dozen', { isTold: true })],
  ]
  if (flags.against !== undefined) proxies.push([flags.against, await startProxy(upstream, 'dozen', { folder: flags.against })])
  const children = proxies.map(([, child]) => child)
  await warmUp(children, load, warmUpRequests, warmUpSeconds)
  const samples = await measureInRounds(children, upstream, load, rounds, () => {})
  console.log(formatCosts(proxies.map(([name, child]) => [name, samples.get(child) ?? []])))
} finally {
  await Promise.all(started.map((child) => child.stop()))
  load.remove()
  log.remove()
  await issuer.close()
}

async function start(...args: Parameters<typeof startChild>): Promise<Child> {
  const child = await startChild(...args)
  started.push(child)
  return child
}

function startProxy(
  upstream: Child,
  rules: RuleSet,
  { folder, isTold = false }: { readonly folder?: string; readonly isTold?: boolean } = {},
): Promise<Child> {
  const script = folder === undefined ? 'proxy.ts' : pathToFileURL(`${folder}/bench/proxy.ts`).href
  return start(script, {
    argument: { upstreamPort: upstream.port, issuer: issuer.issuer, rules, isTold },
    output: log.descriptor,
  })
}

/** The quickest tenth is what the code costs; the rest is what others on the machine cost it. */
function formatCosts(measured: readonly (readonly [name: string, samples: readonly Sample[]])[]): string {
  const costs = measured.map(([, samples]) => samples.map(({ cpuPerRequest }) => cpuPerRequest))
  const rows = measured.map(([name], place) => {
    const [own = [], yardstick = []] = [costs[place], costs[0]]
    const ratios = own.map((cost, round) => cost / (yardstick[round] ?? Number.NaN))
    return [
      name,
      median(own).toFixed(1),
      median(ratios).toFixed(3),
      quantile(own, 0.1).toFixed(1),
      (quantile(own, 0.1) / quantile(yardstick, 0.1)).toFixed(3),
    ]
  })
  return formatTable([['', 'CPU µs a call', '×', 'quickest tenth', '×'], ...rows])
}
