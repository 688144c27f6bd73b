import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findFreePort } from '../test/support/free-port.ts'
import { startIssuer } from '../test/support/tokens.ts'
import { endWithUs } from './end-with-us.ts'
import { findProgram } from './programs.ts'
import { type Contender, measureSessions, type Sample, waitForPort } from './session-load.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'

/**
 * Calls a second in 32 MCP sessions, one at a time in each, as gateways publish them: to a server that does next to nothing, through this
 * proxy, which checks a token and logs a line for each, and through the proxy of FastMCP (`pip install fastmcp`), which does neither.
 * `--quick` takes fewer turns.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rounds = flags.quick ? 2 : 5
const seconds = 3
const warmUpSeconds = flags.quick ? 5 : 15
const load = { sessions: 32, callsAtATime: 1 }
const revision = '2025-06-18'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const processes: ChildProcess[] = []
const folder = mkdtempSync(join(tmpdir(), 'bench-gateways-'))
const issuer = await startIssuer()
try {
  const contenders = await startContenders()
  for (const contender of contenders) await measureSessions(contender, load, warmUpSeconds)
  const samples = contenders.map((): Sample[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [place, contender] of contenders.entries()) samples[place]?.push(await measureSessions(contender, load, seconds))
  }
  console.log(formatRates(contenders, samples))
} finally {
  for (const child of processes) child.kill('SIGTERM')
  await issuer.close()
  rmSync(folder, { recursive: true })
}

async function startContenders(): Promise<Contender[]> {
  const [upstreamPort, port] = [await findFreePort(), await findFreePort()]
  const upstream = `http://127.0.0.1:${upstreamPort}/mcp`
  const light = start(process.execPath, here('stdio/light-server.mjs'), String(upstreamPort))
  const contenders = [
    { name: 'server direct', url: upstream, process: light, token: undefined, revision },
    await startOwn(port, upstream),
    ...(await startFastMcp(upstream)),
  ]
  for (const { url } of contenders) await waitForPort(url)
  return contenders
}

async function startOwn(port: number, upstream: string): Promise<Contender> {
  const file = join(folder, 'config.yaml')
  const servers = [{ name: 'http', path: '/mcp', upstream }]
  writeFileSync(file, JSON.stringify({ listen: { port }, issuers: [issuer.issuer], servers, log: { format: 'json' } }))
  const url = `http://localhost:${port}/mcp`
  const token = await issuer.mint({ claims: { aud: url } })
  return {
    name: 'this proxy',
    url,
    process: start(process.execPath, here('../dist/cli/main.js'), '--config', file),
    token,
    revision,
  }
}

async function startFastMcp(upstream: string): Promise<Contender[]> {
  const program = findProgram('fastmcp')
  if (program === undefined) {
    console.log('FastMCP is not installed: left out')
    return []
  }
  const port = await findFreePort()
  const transport = ['--transport', 'http', '--port', String(port), '--no-banner', '--log-level', 'ERROR']
  const process = start(program, 'run', upstream, ...transport)
  return [{ name: 'FastMCP proxy', url: `http://127.0.0.1:${port}/mcp`, process, token: undefined, revision }]
}

function start(program: string, ...args: string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' })
  endWithUs(child)
  processes.push(child)
  return child
}

function formatRates(contenders: readonly Contender[], samples: readonly (readonly Sample[])[]): string {
  const rows = contenders.map(({ name }, place) => {
    const own = samples[place] ?? []
    const rate = median(own.map(({ callsPerSecond }) => callsPerSecond))
    return [name, rate.toFixed(0), median(own.map(({ cpuPerCall }) => cpuPerCall)).toFixed(0)]
  })
  const what = `${load.sessions} MCP sessions, ${rounds} rounds of ${seconds} s, medians of the rounds`
  return `${what}\n\n${formatTable([['', 'calls/s', 'CPU µs a call'], ...rows])}`
}
