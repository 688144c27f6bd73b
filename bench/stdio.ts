import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findFreePort } from '../test/support/proxy.ts'
import { startIssuer } from '../test/support/tokens.ts'
import { startInstructionCounter } from './instructions.ts'
import { median } from './statistics.ts'

/**
 * Calls a second to a stdio server: through this proxy, which also checks a token and logs a line for each, and through the bridges
 * `supergateway` and `mcp-proxy`, which do not. And what a call costs our process beside the same call to the same server over HTTP.
 * Measured in turns, so that a machine that grows slower meanwhile does so for all. Ends by itself; `--quick` in half a minute.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rounds = flags.quick ? 2 : 6
const seconds = flags.quick ? 1 : 3
const sessions = 4
/** As many connections as the other measurements have, over all sessions. */
const callsAtATime = 8
/** What is promised: as many calls as the better bridge this many times, at this many times the cost of HTTP. */
const aims = { calls: 3, cpu: 1.5 }

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const light = here('stdio/light-server.mjs')
const preload = here('../test/support/keep-on-loopback.ts')

interface Contender {
  readonly name: string
  readonly url: string
  readonly revision: string
  readonly token: string | undefined
  readonly process: ChildProcess
}

interface Sample {
  readonly callsPerSecond: number
  /** Microseconds of processor time of the process alone, without its children. */
  readonly cpuPerCall: number
  /** Of the same process, where the machine lets us count them; they hardly depend on what else it does. */
  readonly instructionsPerCall: number | undefined
}

const processes: ChildProcess[] = []
const folder = mkdtempSync(join(tmpdir(), 'bench-stdio-'))
const issuer = await startIssuer()
try {
  const contenders = await startContenders()
  const samples = new Map(contenders.map(({ name }) => [name, [] as Sample[]]))
  for (const contender of contenders) await measure(contender, 1)
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(round + i) % contenders.length] as Contender
      samples.get(contender.name)?.push(await measure(contender, seconds))
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

async function waitForPort(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answered = await fetch(url, { method: 'HEAD' }).then(
      () => true,
      () => false,
    )
    if (answered) return
    await pause(50)
  }
  throw new Error(`nothing listens at ${url}`)
}

/** Opens sessions, has each make calls for a while on connections of its own, and counts. */
async function measure(contender: Contender, duration: number): Promise<Sample> {
  const ids = await Promise.all(Array.from({ length: sessions }, () => openSession(contender)))
  const counter = { calls: 0, isOver: false }
  const loops = ids.flatMap((session) =>
    Array.from({ length: callsAtATime }, (_, first) => callInALoop(contender, session, first + 1, counter)),
  )
  const counting = await startInstructionCounter(contender.process.pid as number)
  await pause(200)
  await counting?.enable()
  const before = { calls: counter.calls, cpu: readCpu(contender.process), at: performance.now() }
  await Promise.race([pause(duration * 1000), ...loops])
  const made = counter.calls - before.calls
  const lasted = performance.now() - before.at
  const cpu = readCpu(contender.process) - before.cpu
  await counting?.disable()
  const counted = counter.calls - before.calls
  const instructions = await counting?.stop()
  const sample = {
    callsPerSecond: made / (lasted / 1000),
    cpuPerCall: cpu / made,
    instructionsPerCall: instructions === undefined ? undefined : instructions / counted,
  }
  counter.isOver = true
  await Promise.all(loops)
  for (const session of ids) await fetch(contender.url, { method: 'DELETE', headers: headersOf(contender, session) })
  return sample
}

/** As little of a client as can be: it shares the machine with what it measures. */
function callInALoop(
  contender: Contender,
  session: string,
  first: number,
  counter: { calls: number; isOver: boolean },
): Promise<void> {
  const { host, port } = new URL(contender.url)
  const head = Object.entries({ host, ...headersOf(contender, session) }).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    let id = first
    let held = ''
    const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true })
    const ask = (): void => {
      const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"weather","arguments":{"city":"Oslo"}}}`
      socket.write(`POST ${pathOf(contender)} HTTP/1.1\r\n${head.join('')}content-length: ${body.length}\r\n\r\n${body}`)
    }
    socket.setEncoding('latin1')
    socket.on('connect', ask)
    socket.on('error', reject)
    socket.on('close', () => (counter.isOver ? resolve() : reject(new Error(`${contender.name} closed a connection: ${held}`))))
    socket.on('data', (chunk: string) => {
      held += chunk
      if (!isWhole(held)) return
      if (!held.includes(`"id":${id}`) || !held.includes('21 degrees')) return reject(new Error(`${contender.name}: ${held}`))
      counter.calls++
      held = ''
      id += callsAtATime
      if (counter.isOver) socket.destroy()
      else ask()
    })
  })
}

/** Whether a response is all there: by its length, or by its last chunk. */
function isWhole(response: string): boolean {
  const end = response.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: (\d+)/i.exec(response.slice(0, end))?.[1]
  return length === undefined ? response.endsWith('0\r\n\r\n') : response.length >= end + 4 + Number(length)
}

async function openSession(contender: Contender): Promise<string> {
  const params = { protocolVersion: contender.revision, capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  const opened = await fetch(contender.url, { method: 'POST', headers: headersOf(contender), body })
  const text = await opened.text()
  const session = opened.headers.get('mcp-session-id')
  if (session === null) throw new Error(`${contender.name} opened no session: ${opened.status} ${text}`)
  const told = {
    method: 'POST',
    headers: headersOf(contender, session),
    body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  }
  await (await fetch(contender.url, told)).text()
  return session
}

function pathOf({ url }: Contender): string {
  return new URL(url).pathname
}

function headersOf({ token, revision }: Contender, session?: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': revision }),
  }
}

/** Microseconds of processor time, user and system, in steps of 10 ms. */
function readCpu({ pid }: ChildProcess): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

function report(samples: ReadonlyMap<string, readonly Sample[]>): void {
  const of = (name: string, read: (sample: Sample) => number): number => median((samples.get(name) ?? []).map(read))
  const calls = (name: string): number => of(name, ({ callsPerSecond }) => callsPerSecond)
  const cpu = (name: string): number => of(name, ({ cpuPerCall }) => cpuPerCall)
  const instructions = (name: string): number => of(name, ({ instructionsPerCall }) => instructionsPerCall ?? Number.NaN)
  for (const name of samples.keys())
    console.log(
      `${name.padEnd(28)} ${calls(name).toFixed(0).padStart(7)} calls/s ${cpu(name).toFixed(0).padStart(6)} µs of processor time a call ${(instructions(name) / 1000).toFixed(0).padStart(6)} thousand instructions a call`,
    )
  const better = Math.max(calls('supergateway'), calls('mcp-proxy'))
  const gain = calls('proxy, stdio, 2025-06-18') / better
  const cost = cpu('proxy, stdio, 2025-06-18') / cpu('proxy, HTTP')
  const own = instructions('proxy, stdio, 2025-06-18')
  const least = Math.min(instructions('supergateway'), instructions('mcp-proxy'))
  console.log(`\n${gain.toFixed(1)} times the calls of the better bridge (aim: at least ${aims.calls})`)
  console.log(`${cost.toFixed(2)} times the processor time of HTTP (aim: at most ${aims.cpu})`)
  console.log(`${(least / own).toFixed(1)} times fewer instructions a call than the better bridge`)
  console.log(`${(own / instructions('proxy, HTTP')).toFixed(2)} times the instructions of HTTP`)
  if (gain < aims.calls || cost > aims.cpu) process.exitCode = 1
}
