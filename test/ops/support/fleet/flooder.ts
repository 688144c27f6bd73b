// A process of its own: one user who sends as much as possible, of every kind at a time, until it is told to stop.
import { Agent, request } from 'node:http'
import { createCall } from './requests.ts'

/** What it is told. */
export interface FloodOrder {
  /** Where requests go, and the host that they name. */
  readonly origin: string
  readonly host: string
  /** Access tokens by the path of the server. */
  readonly tokens: Readonly<Record<'/tickets' | '/files', string>>
}

/** How often each status came, by kind; 0 where no answer came. */
export type FloodReport = Record<string, Record<number, number>>

const BIG_BYTES = 3_000_000
const BATCH = 20
const INITIALIZE = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flood', version: '1' } }
const BATCHED = { 'mcp-protocol-version': '2025-03-26' }

const report: FloodReport = {}
let sent = 0
let isOver = false
const agent = new Agent({ keepAlive: true })

const nextCall = (name: string, more: object = {}): object => {
  const nonce = `flood-${process.pid}-${++sent}`
  return createCall(nonce, name, { nonce, ...more })
}

interface Flood {
  readonly kind: string
  readonly path: '/tickets' | '/files'
  readonly atATime: number
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly makeBody?: () => unknown
}

const FLOODS: readonly Flood[] = [
  { kind: 'call', path: '/tickets', atATime: 16, makeBody: () => nextCall('echo') },
  { kind: 'refused call', path: '/tickets', atATime: 8, makeBody: () => nextCall('forbidden') },
  {
    kind: 'batch',
    path: '/tickets',
    atATime: 4,
    headers: BATCHED,
    makeBody: () => Array.from({ length: BATCH }, () => nextCall('echo')),
  },
  { kind: 'big body', path: '/tickets', atATime: 4, makeBody: () => nextCall('echo', { padding: 'x'.repeat(BIG_BYTES) }) },
  {
    kind: 'bad token',
    path: '/tickets',
    atATime: 8,
    headers: { authorization: 'Bearer x.y.z' },
    makeBody: () => nextCall('echo'),
  },
  { kind: 'stream', path: '/tickets', atATime: 16, method: 'GET' },
  {
    kind: 'session',
    path: '/files',
    atATime: 8,
    makeBody: () => ({ jsonrpc: '2.0', id: `flood-${process.pid}-${++sent}`, method: 'initialize', params: INITIALIZE }),
  },
]

process.once('message', (order: FloodOrder) => {
  const floods = FLOODS.flatMap((flood) => Array.from({ length: flood.atATime }, () => pour(order, flood)))
  process.once('message', () => {
    isOver = true
    agent.destroy()
    void Promise.all(floods).then(() => process.send?.(report, () => process.disconnect()))
  })
})
process.send?.('ready')

async function pour(order: FloodOrder, flood: Flood): Promise<void> {
  while (!isOver) {
    const status = await ask(order, flood)
    const counts = report[flood.kind] ?? {}
    report[flood.kind] = counts
    counts[status] = (counts[status] ?? 0) + 1
  }
}

/** A stream that opens is kept open, and the next one asked for. */
function ask({ origin, host, tokens }: FloodOrder, { path, method = 'POST', headers, makeBody }: Flood): Promise<number> {
  const body = makeBody === undefined ? undefined : JSON.stringify(makeBody())
  const fields = {
    host,
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${tokens[path]}`,
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  return new Promise((resolve) => {
    const asked = request(`${origin}${path}`, { method, agent, headers: fields }, (response) => {
      response.on('error', () => undefined)
      const status = response.statusCode ?? 0
      response.resume()
      if (method === 'GET' && status === 200) resolve(status)
      else response.once('close', () => resolve(status))
    })
    asked.once('error', () => resolve(0))
    asked.end(body)
  })
}
