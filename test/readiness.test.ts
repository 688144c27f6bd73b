import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { findFreePort } from './support/free-port.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy } from './support/proxy.ts'
import { answerJson, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function startServed(issuers: readonly string[]) {
  const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  open.push(() => upstream.close())
  const proxy = await startTestProxy({
    issuers: [...issuers],
    admin: { port: 0 },
    servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp` }],
  })
  open.push(() => proxy.close())
  return proxy
}

it('is ready although one of two issuers is down, whose tokens alone are told to come again (503)', async () => {
  const [up, down] = [await startIssuer(), await startIssuer()]
  open.push(
    () => up.close(),
    () => down.close(),
  )
  await down.setOutage('refuse')
  const proxy = await startServed([up.issuer, down.issuer])
  const call = async ({ mint }: typeof up) => {
    const token = await mint({ claims: { aud: `${proxy.origin}/mcp` } })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    return (await fetch(`${proxy.origin}/mcp`, { method: 'POST', headers, body })).status
  }
  await waitUntil(async () => (await fetch(`${proxy.origin}/readyz`)).status === 200, 'it is ready')
  expect([await call(up), await call(down)]).toEqual([200, 503])
  expect((await fetch(`${proxy.origin}/readyz`)).status).toBe(200)
})

it('is ready where no issuer can be reached', async () => {
  const proxy = await startServed([`http://localhost:${await findFreePort()}`])
  await waitUntil(async () => (await fetch(`${proxy.origin}/readyz`)).status === 200, 'it is ready')
})

it('is not ready before each issuer was tried, whatever came of that', async () => {
  const held: ServerResponse[] = []
  const hanging = createServer((_request, response) => held.push(response))
  const port = await listenOnLoopback(hanging, 0)
  open.push(() => closeServer(hanging))
  const asked = once(hanging, 'request')
  const proxy = await startServed([`http://localhost:${port}`])
  await asked
  const readMetrics = async (): Promise<string> => (await fetch(`${proxy.adminUrl}/metrics`)).text()
  expect((await fetch(`${proxy.origin}/readyz`)).status).toBe(503)
  expect(await readMetrics()).toContain('mcp_auth_proxy_ready 0\n')
  expect((await fetch(`${proxy.origin}/healthz`)).status).toBe(200)
  hanging.removeAllListeners('request').on('request', (_request, response) => response.writeHead(500).end())
  for (const response of held) response.writeHead(500).end()
  await waitUntil(async () => (await fetch(`${proxy.origin}/readyz`)).status === 200, 'it is ready')
  expect(await readMetrics()).toContain('mcp_auth_proxy_ready 1\n')
})
