import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { startTestProxy } from '../test/support/proxy.ts'
import { sendRaw } from '../test/support/raw-client.ts'
import { startProxy } from './app.ts'
import { loadConfig } from './index.ts'
import { listenOnLoopback } from './sandbox/listen.ts'

it('a plan whose MCP server gets tokens of an identity provider does not start without that provider', async () => {
  const { plan } = loadConfig({
    issuers: [{ issuer: 'https://idp.example.com' }],
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:8000/mcp' }],
  })
  const servers = plan.servers.map((server) => ({ ...server, credential: { kind: 'identity_provider' } as const }))
  await expect(startProxy({ ...plan, log: { ...plan.log, level: 'silent' }, servers })).rejects.toThrow(/identity provider/)
})

const smallest = { issuers: ['http://127.0.0.1:1'], servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }] }

it('bytes that are no request have a line in the log, with code and reason', async () => {
  const proxy = await startTestProxy(smallest)
  expect((await sendRaw(proxy.port, 'NO HTTP\r\n\r\n')).status).toBe(400)
  await proxy.close()
  expect(proxy.log.records()).toContainEqual(
    expect.objectContaining({ code: 'request_malformed', reason: 'syntax', status: 400, msg: 'refused before it was a request' }),
  )
})

it('says that it is the admin listener whose port is in use', async () => {
  const other = createServer()
  const port = await listenOnLoopback(other, 0)
  const { plan } = loadConfig({
    ...smallest,
    admin: { port },
    listen: { port: 0 },
    public_url: 'http://localhost',
    log: { level: 'silent' },
  })
  await expect(startProxy(plan)).rejects.toThrow(/^the admin listener has no port: .*EADDRINUSE/)
  other.close()
})
