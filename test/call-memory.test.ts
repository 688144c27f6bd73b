import { Agent, createServer, request, type Server } from 'node:http'
import { getHeapStatistics } from 'node:v8'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { collectGarbage } from '../src/core/collect-garbage.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let upstream: Server
let issuer: TestIssuer
let proxy: TestProxy
let headers: Readonly<Record<string, string>>

beforeAll(async () => {
  upstream = createServer((incoming, response) => {
    incoming.resume()
    incoming.on('end', () => response.setHeader('content-type', 'application/json').end(answer))
  })
  const port = await listenOnLoopback(upstream, 0)
  issuer = await startIssuer()
  proxy = await startTestProxy({
    log: { level: 'error' },
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `http://127.0.0.1:${port}/mcp`, scopes: ['mcp'] }],
  })
  headers = {
    authorization: `Bearer ${await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, scope: 'mcp' } })}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  }
})

afterAll(async () => {
  agent.destroy()
  await proxy.close()
  await issuer.close()
  await closeServer(upstream)
})

function call(): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(`${proxy.origin}/mcp`, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    sent.on('error', reject)
    sent.end('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"x"}}}')
  })
}

async function callTimes(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) expect(await call()).toBe(200)
}

/** What a collection of the young generation leaves, where all that a call has allocated should have died. */
async function measureYoungSurvivors(): Promise<number> {
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage('minor')
  }
  return getHeapStatistics().used_heap_size
}

it('leaves nothing of a call to the collection of the whole heap, which is slow and late', async () => {
  await callTimes(400)
  collectGarbage('major')
  const before = await measureYoungSurvivors()
  await callTimes(500)
  const bytesOfCall = ((await measureYoungSurvivors()) - before) / 500
  // A call allocates some 20 KiB. It was 8 KiB when one function of each request was allocated in the old generation.
  expect(bytesOfCall).toBeLessThan(4000)
})
