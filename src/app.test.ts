import { expect, it } from 'vitest'
import { startProxy } from './app.ts'
import { loadConfig } from './index.ts'

it('a plan whose MCP server gets tokens of an identity provider does not start without that provider', async () => {
  const { plan } = loadConfig({
    issuers: [{ issuer: 'https://idp.example.com' }],
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:8000/mcp' }],
  })
  const servers = plan.servers.map((server) => ({ ...server, credential: { kind: 'identity_provider' } as const }))
  await expect(startProxy({ ...plan, log: { ...plan.log, level: 'silent' }, servers })).rejects.toThrow(/identity provider/)
})
