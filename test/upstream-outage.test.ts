// An outage of an MCP server as its operator sees it, in real time.
import { createServer } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { findFreePort } from './support/free-port.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy } from './support/proxy.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

it('an outage of a server is one line in the log, its end another, and a gauge says which server is away', async () => {
  const issuer = await startIssuer()
  open.push(() => issuer.close())
  const port = await findFreePort()
  const proxy = await startTestProxy({
    issuers: [issuer.issuer],
    admin: { port: 0 },
    servers: ['files', 'other'].map((name) => ({
      name,
      path: `/${name}`,
      upstream: `http://127.0.0.1:${port}/mcp-secret-path?key=secret`,
    })),
  })
  open.push(() => proxy.close())
  const token = await issuer.mint({ claims: { aud: `${proxy.origin}/files` } })
  const call = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const response = await fetch(`${proxy.origin}/files`, { method: 'POST', headers, body })
    await response.text()
    return response.status
  }
  const lines = (message: string) =>
    proxy.log
      .text()
      .split('\n')
      .filter((line) => line.includes(message))
      .map((line) => JSON.parse(line))
  const gauges = async (): Promise<string[]> => {
    const text = await (await fetch(`${proxy.adminUrl}/metrics`)).text()
    return text.split('\n').filter((line) => line.startsWith('mcp_auth_proxy_upstream_circuit_open{'))
  }
  for (let i = 0; i < 8; i++) expect(await call()).toBe(502)
  expect(lines('cannot be reached:')).toMatchObject([
    { level: 'warn', server: 'files', upstream: `http://127.0.0.1:${port}`, cause: expect.stringContaining('ECONNREFUSED') },
  ])
  expect(await gauges()).toEqual([
    'mcp_auth_proxy_upstream_circuit_open{server="files"} 1',
    'mcp_auth_proxy_upstream_circuit_open{server="other"} 0',
  ])
  const server = createServer((request, response) => void request.resume().on('end', () => response.end()))
  await listenOnLoopback(server, port)
  open.push(() => closeServer(server))
  await waitUntil(async () => (await call()) === 200, 'the server is asked again')
  expect(lines('can be reached again')).toMatchObject([{ level: 'info', server: 'files' }])
  expect(lines('cannot be reached:')).toHaveLength(1)
  expect(await gauges()).toContain('mcp_auth_proxy_upstream_circuit_open{server="files"} 0')
  expect(proxy.log.text()).not.toContain('secret')
})
