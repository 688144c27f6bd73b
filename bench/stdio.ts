import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findFreePort } from '../test/support/free-port.ts'
import { startIssuer } from '../test/support/tokens.ts'
import { type Contender, measureSessions, type Sample, waitForPort } from './session-load.ts'
import { median } from './statistics.ts'

/**
 * Calls a second to a stdio server: through this proxy, which also checks a token and logs a line for each, and through the bridges
 * `supergateway` and `mcp-proxy`, which do not. And what a call costs our process beside the same call to the same server over HTTP.
 * Measured in turns, so that a machine that grows slower meanwhile does so for all. Ends by itself; `--quick` in half a minute.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rounds = flags.quick ? 2 : 6
const seconds = flags.quick ? 1 : 3
/** As many connections as the other measurements have, over all sessions. */
const load = { sessions: 4, callsAtATime: 8 }
/** What is promised: as many calls as the better bridge this many times, at this many times the cost of HTTP. */
const aims = { calls: 3, cpu: 1.5 }

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const light = here('stdio/light-server.mjs')
const preload = here('../test/support/keep-on-loopback.ts')

const processes: ChildProcess[] = []
const folder = mkdtempSync(join(tmpdir(), 'bench-stdio-'))
const issuer = await startIssuer()
try {
  const contenders = await startContenders()
  const samples = new Map(contenders.map(({ name }) => [name, [] as Sample[]]))
  for (const contender of contenders) await measureSessions(contender, load, 1)
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(round + i) % contenders.length] as Contender
      samples.get(contender.name)?.push(await measureSessions(contender, load, seconds))
    }
  }
  report(samples)
} finally {
  for (const child of processes) child.kill('SIGTERM')
  await issuer.close()
  rmSync(folder, { recursive: true })
}

async function startContenders(): Promise<Contender[]> {
  const [port, httpPort, gatewayPort, proxyPort] = await Promise.all([
    findFreePort(),
    findFreePort(),
    findFreePort(),
    findFreePort(),
  ])
  start([light, String(httpPort)])
  const config = {
    listen: { port },
    issuers: [issuer.issuer],
    servers: [
      { name: 'stdio', path: '/stdio', upstream: { command: [process.execPath, light] } },
      { name: 'http', path: '/http', upstream: `http://127.0.0.1:${httpPort}/mcp` },
    ],
    log: { format: 'json' },
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const ours = start([here('../src/cli/main.ts'), '--config', join(folder, 'config.yaml')])
  const origin = `http://localhost:${port}`
  const token = await issuer.mint({ claims: { aud: [`${origin}/stdio`, `${origin}/http`] } })
  const child = `${process.execPath} ${light}`
  const supergateway = start([
    ...['--import', preload, here('../node_modules/supergateway/dist/index.js'), '--stdio', child, '--port', String(gatewayPort)],
    ...['--outputTransport', 'streamableHttp', '--stateful', '--logLevel', 'none'],
  ])
  const mcpProxy = start([
    ...['--import', preload, here('../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs'), '--port', String(proxyPort)],
    ...['--server', 'stream', '--', process.execPath, light],
  ])
  const own = { process: ours, token }
  const others = { token: undefined, revision: '2025-06-18' }
  const contenders: Contender[] = [
    { name: 'proxy, stdio, 2025-06-18', url: `${origin}/stdio`, revision: '2025-06-18', ...own },
    { name: 'proxy, stdio, 2025-11-25', url: `${origin}/stdio`, revision: '2025-11-25', ...own },
    { name: 'proxy, HTTP', url: `${origin}/http`, revision: '2025-06-18', ...own },
    { name: 'supergateway', url: `http://127.0.0.1:${gatewayPort}/mcp`, process: supergateway, ...others },
    { name: 'mcp-proxy', url: `http://127.0.0.1:${proxyPort}/mcp`, process: mcpProxy, ...others },
  ]
  for (const { url } of contenders) await waitForPort(url)
  return contenders
}

function start(argv: readonly string[]): ChildProcess {
  // Without the channel, whose end would end the preload's process.
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  processes.push(child)
  return child
}

function report(samples: ReadonlyMap<string, readonly Sample[]>): void {
  const of = (name: string, read: (sample: Sample) => number): number => median((samples.get(name) ?? []).map(read))
  const calls = (name: string): number => of(name, ({ callsPerSecond }) => callsPerSecond)
  const cpu = (name: string): number => of(name, ({ cpuPerCall }) => cpuPerCall)
  const instructions = (name: string): number => of(name, ({ instructionsPerCall }) => instructionsPerCall ?? Number.NaN)
  for (const name of samples.keys())
    console.log(
      `${name.padEnd(28)} ${calls(name).toFixed(0).padStart(7)} calls/s ${cpu(name).toFixed(0).padStart(6)} µs of processor time a call${formatInstructions(instructions(name))}`,
    )
  const better = Math.max(calls('supergateway'), calls('mcp-proxy'))
  const gain = calls('proxy, stdio, 2025-06-18') / better
  const cost = cpu('proxy, stdio, 2025-06-18') / cpu('proxy, HTTP')
  console.log(`\n${gain.toFixed(1)} times the calls of the better bridge (aim: at least ${aims.calls})`)
  console.log(`${cost.toFixed(2)} times the processor time of HTTP (aim: at most ${aims.cpu})`)
  reportInstructions(instructions)
  if (gain < aims.calls || cost > aims.cpu) process.exitCode = 1
}

/** Nothing where they cannot be counted (see `instructions.ts`). */
function formatInstructions(count: number): string {
  return Number.isNaN(count) ? '' : ` ${(count / 1000).toFixed(0).padStart(6)} thousand instructions a call`
}

function reportInstructions(of: (name: string) => number): void {
  const own = of('proxy, stdio, 2025-06-18')
  if (Number.isNaN(own)) return console.log('instructions cannot be counted on this machine')
  const least = Math.min(of('supergateway'), of('mcp-proxy'))
  console.log(`${(least / own).toFixed(1)} times fewer instructions a call than the better bridge`)
  console.log(`${(own / of('proxy, HTTP')).toFixed(2)} times the instructions of HTTP`)
}
