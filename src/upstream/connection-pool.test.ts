import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../core/clock.ts'
import { DIRECT } from '../core/plan/egress-plan.ts'
import { createCircuit } from './circuit.ts'
import { closePool, createPool } from './connection-pool.ts'
import { createConnector } from './dial.ts'

const folder = mkdtempSync(join(tmpdir(), 'pool-'))
afterAll(() => rmSync(folder, { recursive: true }))

const url = 'http://localhost/mcp'

/** Sends requests that all dial before the server, in the same thread, takes the first. */
async function sendBurst(requests: number, connectSeconds: number): Promise<(number | string)[]> {
  const socket = join(folder, 'mcp.sock')
  const server = createServer((_request, response) => response.end('{}')).listen({ path: socket, backlog: 1 })
  await once(server, 'listening')
  const waits = { connectSeconds, responseSeconds: 30, heartbeatSeconds: 0, followSlashRedirects: false }
  const circuit = createCircuit(url, { clock: systemClock, connectSeconds, onChange: () => undefined })
  const plan = { kind: 'http', url, socket, headers: {}, ca: undefined, egress: DIRECT, ...waits } as const
  const pool = createPool(new URL(url).origin, createConnector(plan, circuit, systemClock))
  const send = async () => {
    const { statusCode, body } = await pool.request({ path: '/mcp', method: 'GET' })
    await body.dump()
    return statusCode
  }
  const outcomes = await Promise.all(
    Array.from({ length: requests }, () => send().catch((error: NodeJS.ErrnoException) => String(error.code))),
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
