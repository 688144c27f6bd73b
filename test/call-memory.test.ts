import { Agent, type ClientRequest, createServer, request, type Server } from 'node:http'
import { getHeapStatistics, queryObjects } from 'node:v8'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { collectGarbage } from '../src/core/collect-garbage.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const answer = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"search","inputSchema":{}},{"name":"drop","inputSchema":{}}]}}'
const paths = ['/json', '/events', '/filtered/json', '/filtered/events'] as const
const STREAMS = 20
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let upstream: Server
let issuer: TestIssuer
let proxy: TestProxy
let authorization: string

beforeAll(async () => {
  upstream = createServer((incoming, response) => {
    incoming.resume()
    incoming.on('end', () => {
      const isJson = incoming.url?.endsWith('/json')
      response.setHeader('content-type', isJson ? 'application/json' : 'text/event-stream')
      if (incoming.method === 'GET') return response.flushHeaders()
      response.end(isJson ? answer : `data: ${answer}\n\n`)
    })
  })
  const port = await listenOnLoopback(upstream, 0)
  issuer = await startIssuer()
  proxy = await startTestProxy({
    log: { level: 'error' },
    issuers: [issuer.issuer],
    servers: paths.map((path) => ({
      path,
      upstream: `http://127.0.0.1:${port}${path}`,
      scopes: ['mcp'],
      ...(path.startsWith('/filtered') && { access: [{ everyone: true, tools: ['search'] }] }),
    })),
  })
  const audience = paths.map((path) => `${proxy.origin}${path}`)
  authorization = `Bearer ${await issuer.mint({ claims: { aud: audience, scope: 'mcp' } })}`
})

afterAll(async () => {
  agent.destroy()
  await proxy.close()
  await issuer.close()
  await closeServer(upstream)
})

const headers = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
}

function listTools(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${proxy.origin}${path}`,
      { method: 'POST', agent, headers: { ...headers, authorization } },
      (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode))
      },
    )
    sent.on('error', reject)
    sent.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
  })
}

async function listTimes(path: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) expect(await listTools(path)).toBe(200)
}

/** What a collection of the young generation leaves, where all that a request has allocated should have died. */
async function measureYoungSurvivors(): Promise<number> {
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage('minor')
  }
  return getHeapStatistics().used_heap_size
}

it.each(paths)('leaves nothing of an answer at %s to the collection of the whole heap, which is slow and late', async (path) => {
  await listTimes(path, 400)
  collectGarbage('major')
  const before = await measureYoungSurvivors()
  await listTimes(path, 500)
  const bytesOfRequest = ((await measureYoungSurvivors()) - before) / 500
  // A request allocates some 20 KiB. It was 8 KiB while one function of each was allocated in the old generation.
  expect(bytesOfRequest).toBeLessThan(4000)
})

function openStream(): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const sent = request(`${proxy.origin}/events`, { agent: false, headers: { ...headers, authorization } }, (response) => {
      expect(response.statusCode).toBe(200)
      response.on('error', () => undefined)
      resolve(sent)
    })
    sent.on('error', reject)
    sent.end()
  })
}

it('keeps no header field of the answer for as long as a stream is open', async () => {
  const first = await openStream()
  const before = queryObjects(Buffer, { format: 'count' })
  const streams = await Promise.all(Array.from({ length: STREAMS }, openStream))
  const buffersOfStream = (queryObjects(Buffer, { format: 'count' }) - before) / STREAMS
  for (const stream of [first, ...streams]) stream.destroy()
  // undici makes one for each name and each value, which are ten here, and keeps them.
  expect(buffersOfStream).toBeLessThan(6)
})
