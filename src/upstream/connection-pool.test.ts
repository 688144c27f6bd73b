import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import { Client, type Dispatcher } from 'undici'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { waitUntil } from '../../test/support/processes.ts'
import { systemClock } from '../core/clock.ts'
import { DIRECT } from '../core/plan/egress-plan.ts'
import { createCircuit } from './circuit.ts'
import { type ConnectionPool, closePool, createPool } from './connection-pool.ts'
import { createConnector } from './dial.ts'

const folder = mkdtempSync(join(tmpdir(), 'pool-'))
afterAll(() => rmSync(folder, { recursive: true }))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const answer: RequestListener = (_request, response) => void response.end('{}')

function openPool(url: string, socket?: string, connectSeconds = 5): ConnectionPool {
  const waits = { connectSeconds, responseSeconds: 30, heartbeatSeconds: 0, followSlashRedirects: false }
  const circuit = createCircuit(url, { clock: systemClock, connectSeconds, onChange: () => undefined })
  const plan = { kind: 'http', url, socket, headers: {}, ca: undefined, egress: DIRECT, ...waits } as const
  return createPool(new URL(url).origin, createConnector(plan, circuit, systemClock))
}

/** Resolves with the status when the answer is complete. */
function send(pool: ConnectionPool, handler: Dispatcher.DispatchHandler = {}, headers: string[] = []): Promise<number> {
  return new Promise((resolve, reject) => {
    let found = 0
    const onResponseStart = (_controller: unknown, status: number): void => {
      found = status
    }
    const outcome = { onRequestStart: () => undefined, onResponseData: () => undefined, onResponseEnd: () => resolve(found) }
    const onResponseError = (_controller: unknown, error: Error): void => reject(error)
    pool.dispatch({ path: '/mcp', method: 'GET', headers }, { onResponseStart, ...outcome, onResponseError, ...handler })
  })
}

/** A pool, and its server whose connections the test has in its hand. */
async function connect(listener: RequestListener = answer) {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ keepAliveTimeout: 300_000 }, listener)
  server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const pool = openPool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  open.push(
    () => pool.destroy(),
    () => server.close(),
    () => server.closeAllConnections(),
  )
  return { pool, sockets }
}

const HOLD = ['x-hold', '1']

/** Begins an answer and holds it. */
const hold: RequestListener = (_request, response) => void response.write(': \n\n')

const countConnections = (): number => queryObjects(Client, { format: 'count' })

/** Each look collects the whole heap. */
const waitForConnections = (most: number) => vi.waitUntil(() => countConnections() <= most, { timeout: 60_000, interval: 500 })

/** Resolves when answers have begun on so many connections at once. */
async function openStreams(pool: ConnectionPool, count: number): Promise<Promise<string>[]> {
  let begun = 0
  const over = Array.from({ length: count }, () =>
    send(pool, { onResponseStart: () => void begun++ }, HOLD).then(
      () => 'complete',
      () => 'cut',
    ),
  )
  await waitUntil(() => begun === count, 'all have begun')
  return over
}

describe('connections to an MCP server', () => {
  it('are used again, by one request at a time', async () => {
    const { pool, sockets } = await connect()
    for (let i = 0; i < 5; i++) {
      expect(await send(pool)).toBe(200)
      // The end of an answer is told before its connection is free.
      await turn()
    }
    expect(sockets.size).toBe(1)
    expect(await Promise.all([send(pool), send(pool), send(pool)])).toEqual([200, 200, 200])
    expect(sockets.size).toBe(3)
  })

  it('leave nothing when they have ended, however many there were', { timeout: 90_000 }, async () => {
    const { pool, sockets } = await connect(hold)
    const over = await openStreams(pool, 60)
    const before = countConnections()
    expect(before).toBeGreaterThanOrEqual(60)
    for (const socket of sockets) socket.destroy()
    expect(new Set(await Promise.all(over))).toEqual(new Set(['cut']))
    await waitForConnections(before - 60)
    await turn()
    expect(await openStreams(pool, 1)).toHaveLength(1)
  })

  it('leave nothing when they have ended while no request needed them', { timeout: 90_000 }, async () => {
    const { pool, sockets } = await connect()
    await Promise.all(Array.from({ length: 20 }, () => send(pool)))
    const before = countConnections()
    for (const socket of sockets) socket.destroy()
    await waitForConnections(before - 20)
    expect(await send(pool)).toBe(200)
  })

  it.each([
    ['is aborted before it is sent', { onRequestStart: (it: Dispatcher.DispatchController) => it.abort(new Error('left')) }, []],
    ['cannot be sent', {}, ['x-broken', 'a\nb']],
  ])('serve the next requests, each by itself, after one that %s', async (_what, handler, headers) => {
    const finished = Promise.withResolvers<void>()
    const { pool, sockets } = await connect((request, response) => {
      if (request.headers['x-hold'] === undefined) return answer(request, response)
      hold(request, response)
      void finished.promise.then(() => response.end())
    })
    expect(await send(pool)).toBe(200)
    await turn()
    const failing = send(pool, handler, headers).catch((error: Error) => error.name)
    const next = send(pool, {}, HOLD)
    expect(await failing).toMatch(/Error$/)
    const streams = await openStreams(pool, 2)
    finished.resolve()
    expect(await Promise.all([next, ...streams])).toEqual([200, 'complete', 'complete'])
    await turn()
    await Promise.all([send(pool), send(pool), send(pool)])
    expect(sockets.size).toBe(3)
  })

  it('end when their answers are complete once the pool is closed, which takes no more requests', async () => {
    let finish = (): void => undefined
    const { pool } = await connect((request, response) => {
      hold(request, response)
      finish = () => void response.end()
    })
    const [over] = await openStreams(pool, 1)
    const closing = closePool(pool, 60_000, systemClock)
    await expect(send(pool)).rejects.toMatchObject({ code: 'UND_ERR_CLOSED' })
    finish()
    await closing
    expect(await over).toBe('complete')
  })

  it('are cut when the pool has been closing for too long', async () => {
    const { pool } = await connect(hold)
    const over = await openStreams(pool, 3)
    await closePool(pool, 1, systemClock)
    expect(await Promise.all(over)).toEqual(['cut', 'cut', 'cut'])
  })

  it('do not keep the pool from being closed while they are being destroyed', async () => {
    const { pool } = await connect(hold)
    const over = await openStreams(pool, 2)
    pool.destroy()
    await closePool(pool, 60_000, systemClock)
    expect(await Promise.all(over)).toEqual(['cut', 'cut'])
  })
})

/** Sends requests that all dial before the server, in the same thread, takes the first. */
async function sendBurst(requests: number, connectSeconds: number): Promise<(number | string)[]> {
  const socket = join(folder, 'mcp.sock')
  const server = createServer(answer).listen({ path: socket, backlog: 1 })
  await once(server, 'listening')
  const pool = openPool('http://localhost/mcp', socket, connectSeconds)
  const outcomes = await Promise.all(
    Array.from({ length: requests }, () => send(pool).catch((error: NodeJS.ErrnoException) => String(error.code))),
  )
  await closePool(pool, 1000, systemClock)
  server.close()
  return outcomes
}

// Other systems say ECONNREFUSED, as they do where nobody listens.
describe.runIf(process.platform === 'linux')('a Unix socket whose queue is full', () => {
  it('is waited for, as TCP does', async () => {
    expect(await sendBurst(40, 30)).toEqual(Array(40).fill(200))
  })

  it('fails a request when the time to connect is over', async () => {
    const outcomes = await sendBurst(40, 0.001)
    expect(new Set(outcomes)).toEqual(new Set([200, 'EAGAIN']))
  })
})
