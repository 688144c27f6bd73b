// What becomes of calls whose MCP server has no connection for them: they are sent once more where nothing was sent, and refused at once
// where nothing can be sent for some time.
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import type { HttpUpstreamPlan } from '../src/core/plan/upstream-plan.ts'
import type { UpstreamState } from '../src/core/upstream-state.ts'
import { createHttpUpstream } from '../src/upstream/http-upstream.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { findFreePort } from './support/free-port.ts'
import { openGate } from './support/gate.ts'
import { createRequest, sendMcp } from './support/mcp-requests.ts'
import { waitUntil } from './support/processes.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const answer: RequestListener = (request, response) =>
  void request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{}'))

/** A server whose connections the test has in its hand. */
async function serve(listener: RequestListener = answer, port = 0, host = '127.0.0.1') {
  const sockets: Socket[] = []
  const requests: (string | undefined)[] = []
  const server: Server = createHttpServer({ keepAliveTimeout: 300_000 }, (request, response) => {
    requests.push(request.method)
    listener(request, response)
  })
  server.on('connection', (socket) => sockets.push(socket))
  server.listen(port, host)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  open.push(close)
  return { port: (server.address() as AddressInfo).port, sockets, requests, close }
}

/** Stands for the network: it answers to nothing, not even the beginning of TLS. */
async function openBlackHole() {
  const sockets: Socket[] = []
  const server = createTcpServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}

async function openBefore(url: string, more: Partial<HttpUpstreamPlan> = {}, clock = systemClock) {
  const plan = {
    kind: 'http' as const,
    url,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 60,
    heartbeatSeconds: 0,
    followSlashRedirects: false,
    ca: undefined,
    egress: DIRECT,
    ...more,
  }
  const changes: UpstreamState[] = []
  const upstream = createHttpUpstream(plan, { clock, onCircuit: (state) => changes.push(state) })
  const gate = await openGate(upstream, { upstreamUrl: url })
  open.push(() => gate.close())
  const call = async (id = 7): Promise<number> => {
    const response = await sendMcp(`${gate.origin}/mcp`, { body: createRequest('tools/list', {}, id) })
    await response.text()
    return response.status
  }
  const reasons = () => gate.records.map(({ status, reason }) => reason ?? status)
  return { gate, upstream, call, reasons, changes }
}

/** A clock that stands still and tells of each second attempt that is planned. */
function createRedialClock() {
  const clock = createFakeClock()
  let planned = 0
  const after: typeof clock.after = (delay, task) => {
    if (delay === REDIAL_MS) planned++
    return clock.after(delay, task)
  }
  const waitFor = (wanted: number) => waitUntil(() => planned === wanted, `second attempt ${wanted} is planned`)
  return Object.assign(Object.create(clock) as typeof clock, { after, planned: waitFor })
}

const REDIAL_MS = 100

const at = (port: number): string => `http://127.0.0.1:${port}/mcp`

describe('a call whose server', () => {
  it('refuses a connection is tried once more, when the server may listen again', async () => {
    const port = await findFreePort()
    const clock = createRedialClock()
    const { call, reasons } = await openBefore(at(port), {}, clock)
    const waiting = call()
    await clock.planned(1)
    const { requests } = await serve(answer, port)
    clock.advance(REDIAL_MS)
    expect(await waiting).toBe(200)
    expect([requests, reasons()]).toEqual([['POST'], [200]])
  })

  it('refuses a second time gets 502, and the server no third connection', async () => {
    const port = await findFreePort()
    const clock = createRedialClock()
    const { call, reasons, upstream } = await openBefore(at(port), {}, clock)
    const waiting = call()
    await clock.planned(1)
    clock.advance(REDIAL_MS)
    expect(await waiting).toBe(502)
    expect([reasons(), clock.pending]).toEqual([['connect_failed'], 0])
    expect(upstream.state?.()).toMatchObject({
      circuit: 'closed',
      lastFailure: { cause: expect.stringContaining('ECONNREFUSED') },
    })
  })

  it.each<[string, (socket: Socket) => unknown]>([
    ['resets', (socket) => socket.resetAndDestroy()],
    ['closes', (socket) => socket.end()],
  ])('%s the idle connection just before the call is sent takes another connection', async (_, break_) => {
    const { port, sockets, requests } = await serve()
    const { call, upstream, reasons } = await openBefore(at(port))
    expect(await call()).toBe(200)
    // What is sent in this turn of the event loop waits for the next, which first sees that the connection has ended.
    const { send } = upstream
    upstream.send = (call, reply) =>
      void turn().then(() => {
        break_(sockets[0] as Socket)
        send(call, reply)
      })
    expect(await call()).toBe(200)
    expect([sockets.length, requests, reasons()]).toEqual([2, ['POST', 'POST'], [200, 200]])
  })

  it('resets the connection after the call was sent gets 502, and the server nothing twice', async () => {
    const { port, requests } = await serve((request) => request.socket.resetAndDestroy())
    const { call, reasons, changes } = await openBefore(at(port))
    for (let i = 0; i < 12; i++) expect(await call()).toBe(502)
    expect(requests.length).toBe(12)
    expect(new Set(reasons())).toEqual(new Set(['connection_lost']))
    expect(changes).toEqual([])
  })

  it('has two addresses is reached at the second where the first refuses connections', async () => {
    const { port } = await serve(answer, 0, '127.0.0.2')
    const lookup = vi.spyOn(dns, 'lookup') as unknown as { mockImplementation(by: unknown): void; mockRestore(): void }
    open.push(() => lookup.mockRestore())
    lookup.mockImplementation((_name: string, _options: unknown, done: (error: null, all: unknown) => void) =>
      done(
        null,
        ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
      ),
    )
    const { call, upstream } = await openBefore(`http://replicas.internal:${port}/mcp`)
    for (let i = 0; i < 6; i++) expect(await call()).toBe(200)
    expect(upstream.state?.()).toMatchObject({ circuit: 'closed', lastFailure: undefined })
  })
})

describe('a server that cannot be reached', () => {
  /** Lets five calls fail in a row. */
  async function exhaust(call: () => Promise<number>, clock: ReturnType<typeof createRedialClock>): Promise<void> {
    for (let i = 1; i <= 5; i++) {
      const waiting = call()
      await clock.planned(i)
      clock.advance(REDIAL_MS)
      expect(await waiting).toBe(502)
    }
  }

  it('gets no connection for five seconds after five failures, then one for one call, and serves all once that succeeds', async () => {
    const port = await findFreePort()
    const clock = createRedialClock()
    const { call, reasons, changes, gate } = await openBefore(at(port), {}, clock)
    await exhaust(call, clock)
    const held = Promise.withResolvers<void>()
    const { sockets } = await serve((request, response) => void held.promise.then(() => answer(request, response)), port)
    const refused = await sendMcp(`${gate.origin}/mcp`, { body: createRequest('tools/list', {}, 'seven') })
    expect([refused.status, refused.headers.get('retry-after'), sockets.length]).toEqual([502, '5', 0])
    expect(await refused.json()).toMatchObject({ id: 'seven', error: { data: { error: 'upstream_unreachable' } } })
    clock.advance(5000)
    const probe = call()
    await waitUntil(() => sockets.length === 1, 'the probe connects')
    const others = [call(), call()]
    held.resolve()
    expect(await Promise.all([probe, ...others])).toEqual([200, 200, 200])
    expect(changes.map(({ circuit }) => circuit)).toEqual(['open', 'closed'])
    expect(reasons().filter((reason) => reason === 'circuit_open')).toHaveLength(1)
  })

  it('gets one attempt every five seconds while it stays away, and no second one for the same call', async () => {
    const port = await findFreePort()
    const clock = createRedialClock()
    const { call, reasons, changes } = await openBefore(at(port), {}, clock)
    await exhaust(call, clock)
    for (let i = 0; i < 3; i++) {
      clock.advance(5000)
      await call()
      await call()
    }
    expect(reasons().slice(5)).toEqual([1, 2, 3].flatMap(() => ['connect_failed', 'circuit_open']))
    expect([changes.length, clock.pending]).toEqual([1, 0])
  })

  it('is as far away where connections are never answered', async () => {
    const { port, sockets } = await openBlackHole()
    const clock = createRedialClock()
    const { call, reasons, changes } = await openBefore(`https://127.0.0.1:${port}/mcp`, { connectSeconds: 2 }, clock)
    const waiting = Array.from({ length: 5 }, () => call())
    await waitUntil(() => sockets.length === 5, 'all five connect')
    clock.advance(1999)
    await turn()
    expect(reasons()).toEqual([])
    clock.advance(1)
    expect(await Promise.all(waiting)).toEqual(Array(5).fill(502))
    expect(changes).toMatchObject([{ circuit: 'open', lastFailure: { cause: 'no connection within 2 s' } }])
    expect(await call()).toBe(502)
    expect([sockets.length, reasons().at(-1)]).toEqual([5, 'circuit_open'])
  })

  it('leaves calls of others alone, and those that have a connection', async () => {
    const port = await findFreePort()
    const clock = createRedialClock()
    const away = await openBefore(at(port), {}, clock)
    const there = await openBefore(at((await serve()).port), {}, clock)
    await exhaust(away.call, clock)
    expect([await away.call(), await there.call()]).toEqual([502, 200])
    expect(away.reasons().at(-1)).toBe('circuit_open')
  })

  it('is not one that answers with errors of its own', async () => {
    const { port } = await serve((request, response) => void request.resume().on('end', () => response.writeHead(503).end()))
    const { call, changes } = await openBefore(at(port))
    for (let i = 0; i < 12; i++) expect(await call()).toBe(503)
    expect(changes).toEqual([])
  })
})

it('a server that does not answer gets the configured time, five percent more at most', async () => {
  const { port, requests } = await serve(() => undefined)
  const clock = createFakeClock()
  const { call } = await openBefore(at(port), { responseSeconds: 2 }, clock)
  let status = 0
  const waiting = call().then((found) => {
    status = found
  })
  await waitUntil(() => requests.length === 1, 'the call arrives')
  clock.advance(1999)
  await turn()
  expect(status).toBe(0)
  clock.advance(101)
  await waiting
  expect(status).toBe(504)
})
