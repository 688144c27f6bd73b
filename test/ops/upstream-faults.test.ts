// MCP servers that hang, refuse, reset and die in the middle of an answer, and what a client sees of it.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { formatCall, type Outcome, send } from './support/client.ts'
import { type FaultyServer, startBreakingServer, startFaultyServer } from './support/faulty-servers.ts'
import { findPercentile } from './support/load.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { reportTarget } from './support/target.ts'

const TIMEOUT_SECONDS = 2
/** What a busy machine may take for what takes a moment. */
const GRACE_MS = 4000
const EVENT = 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n'

let stage: Stage
let replica: Replica
let servers: Record<string, FaultyServer>
let headers: Record<string, string>
/** By request id. */
const reasons = new Map<string, string | undefined>()

beforeAll(async () => {
  const [port, refused] = [await findFreePort(), await findFreePort()]
  stage = await setStage(`http://localhost:${port}`)
  servers = await startServers()
  const urls = Object.entries(servers).map(([name, { url }]) => [name, url] as const)
  const upstreams = [...urls, ['refused', `http://127.0.0.1:${refused}/mcp`], ['unnamed', 'http://mcp.invalid/mcp']] as const
  const described = upstreams.map(([name, url]) => ({
    name,
    path: `/${name}`,
    upstream: { url, response_timeout_seconds: TIMEOUT_SECONDS },
  }))
  const echo = { name: 'echo', path: '/mcp', upstream: stage.server.url }
  replica = startReplica(stage.configure(port, { servers: [echo, ...described] }), { onLine: noteReason })
  const audiences = ['mcp', ...upstreams.map(([name]) => name)].map((name) => `${stage.publicUrl}/${name}`)
  headers = { ...stage.headers, authorization: `Bearer ${await stage.issuer.mint({ claims: { aud: audiences } })}` }
  await replica.waitUntilReady()
})
afterAll(async () => {
  replica.signal('SIGKILL')
  await replica.exited
  await Promise.all(Object.values(servers).map((server) => server.close()))
  await stage.close()
})

async function startServers() {
  const half = (type: string, text: string, end: (response: Parameters<Parameters<typeof startBreakingServer>[0]>[0]) => void) =>
    startBreakingServer((response) => {
      response.writeHead(200, { 'content-type': type })
      response.write(text)
      setTimeout(() => end(response), 300)
    })
  return {
    hang: await startFaultyServer(() => undefined),
    reset: await startFaultyServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    hangup: await startFaultyServer((socket) => socket.once('data', () => socket.end())),
    'no-tls': await startFaultyServer((socket) => socket.once('data', () => socket.destroy()), 'https'),
    ticking: await startBreakingServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => response.write(EVENT), 300)
      setTimeout(() => response.end(), TIMEOUT_SECONDS * 3000)
      response.once('close', () => clearInterval(timer))
    }),
    'dies-reset': await half('text/event-stream', EVENT, ({ socket }) => socket?.resetAndDestroy()),
    'dies-fin': await half('text/event-stream', EVENT, ({ socket }) => socket?.end()),
    'dies-json': await half('application/json', '{"jsonrpc":"2.0","id":"1","res', ({ socket }) => socket?.destroy()),
  }
}

const call = (name: string, id: string): Promise<Outcome> =>
  send(`${replica.origin}/${name}`, {
    headers: { accept: 'application/json, text/event-stream', ...headers },
    body: formatCall(id),
  })
const openStream = (name: string): Promise<Outcome> =>
  send(`${replica.origin}/${name}`, { method: 'GET', headers: { accept: 'text/event-stream', ...headers } })

describe('R14', () => {
  it('answers 504 with the id of the request after the configured time, and never ends a stream with events', async () => {
    const streaming = openStream('ticking')
    const ids = Array.from({ length: 20 }, (_, index) => `hang-${index}`)
    const outcomes = await Promise.all(ids.map((id) => call('hang', id)))
    expect(outcomes.map(({ status }) => status)).toEqual(ids.map(() => 504))
    expect(outcomes.map(({ body }) => JSON.parse(body).id)).toEqual(ids)
    const times = outcomes.map(({ ms }) => ms)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(TIMEOUT_SECONDS * 1000)
    expect(Math.max(...times)).toBeLessThan(TIMEOUT_SECONDS * 1050 + GRACE_MS)
    const stream = await streaming
    expect([stream.status, stream.isComplete]).toEqual([200, true])
    expect(stream.ms).toBeGreaterThan(TIMEOUT_SECONDS * 2900)
    reportTarget('R14', `an MCP server that never answers is 504 after ${TIMEOUT_SECONDS} s`, {
      calls: ids.length,
      'first after ms': Math.min(...times),
      'last after ms': Math.max(...times),
      'stream with events lived for ms': stream.ms,
    })
  })
})

describe('R15', () => {
  it('answers 502 with the id of the request where a connection is refused, reset or ended, or there is no such name', async () => {
    const slowest: Record<string, number> = {}
    for (const name of ['refused', 'reset', 'hangup', 'unnamed']) {
      const { status, body, headers: fields, ms } = await call(name, `${name}-1`)
      expect([name, status, JSON.parse(body)]).toMatchObject([name, 502, { jsonrpc: '2.0', id: `${name}-1`, error: {} }])
      expect(fields['retry-after']).toBeDefined()
      // Whether there is a name is for name servers to say, in their own time.
      if (name !== 'unnamed') expect(ms).toBeLessThan(1000 + GRACE_MS)
      slowest[`${name} ms`] = ms
    }
    reportTarget('R15', 'an MCP server that cannot be reached is 502 with Retry-After within 1 s', slowest)
  })
})

describe('R16', () => {
  it('cuts an answer whose MCP server died in the middle of it, so that no client takes it for whole', async () => {
    const after: Record<string, number> = {}
    for (const name of ['dies-reset', 'dies-fin', 'dies-json']) {
      const outcome = await call(name, '1')
      expect([name, outcome.status, outcome.isComplete]).toEqual([name, 200, false])
      const cutAfter = outcome.ms - (outcome.firstMs ?? 0) - 300
      expect(cutAfter).toBeLessThan(1000 + GRACE_MS)
      after[`${name} cut after ms`] = Math.max(0, cutAfter)
    }
    reportTarget('R16', 'an MCP server that dies within an answer is an abnormal end within 1 s', after)
  })
})

describe('R17', () => {
  it('opens a circuit after five failures to connect, sends one probe when it is over, and leaves other routes alone', async () => {
    const found: (string | undefined)[] = []
    for (let attempt = 0; attempt < 5; attempt += 1) found.push(await readReason(await call('no-tls', `fail-${attempt}`)))
    const before = servers['no-tls']!.countConnections()
    const refused: number[] = []
    const served: number[] = []
    const opened = performance.now()
    const whileOpen: Outcome[] = []
    while (whileOpen.length < 30 && performance.now() - opened < 3000) {
      const outcome = await call('no-tls', `open-${whileOpen.length}`)
      whileOpen.push(outcome)
      refused.push(outcome.ms)
      const other = await call('mcp', `other-${whileOpen.length}`)
      expect(other.status).toBe(200)
      served.push(other.ms)
    }
    expect(new Set(found)).toEqual(new Set(['connect_failed']))
    expect(new Set(await Promise.all(whileOpen.map(readReason)))).toEqual(new Set(['circuit_open']))
    expect(servers['no-tls']!.countConnections()).toBe(before)
    const [refusedMs, servedMs] = [findPercentile(refused, 0.5), findPercentile(served, 0.5)]
    // A refusal needs no MCP server, so it takes no longer than a call that does.
    expect(refusedMs).toBeLessThan(servedMs + 5)
    await wait(5000)
    const burst = await Promise.all(Array.from({ length: 20 }, (_, index) => call('no-tls', `probe-${index}`)))
    const inBurst = await Promise.all(burst.map(readReason))
    expect(inBurst.filter((reason) => reason === 'connect_failed')).toHaveLength(1)
    expect(servers['no-tls']!.countConnections()).toBe(before + 1)
    reportTarget('R17', 'five failures to connect open the circuit for 5 s, then one probe', {
      'refused in ms (median)': refusedMs,
      'other route in ms (median)': servedMs,
      'connections while open': 0,
      'probes of 20 calls': 1,
    })
  })

  it('never sends a call again that may have reached its MCP server', async () => {
    const before = servers.reset!.countConnections()
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, index) => call('reset', `once-${index}`)))
    expect(new Set(await Promise.all(outcomes.map(readReason)))).toEqual(new Set(['connection_lost']))
    expect(servers.reset!.countConnections() - before).toBe(50)
    reportTarget('R17', 'a call is never sent twice', { calls: 50, 'connections at the MCP server': 50 })
  })
})

/** As the log has it: clients are told no details of what is behind the proxy. */
async function readReason({ headers: fields }: Outcome): Promise<string | undefined> {
  const id = String(fields['x-request-id'])
  await waitUntil(() => reasons.has(id), `the log has a line about ${id}`)
  return reasons.get(id)
}

function noteReason(line: string): void {
  const { request_id: id, reason } = JSON.parse(line)
  if (id !== undefined) reasons.set(id, reason)
}
