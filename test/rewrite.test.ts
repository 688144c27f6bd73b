import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../demo/mcp-server.ts'
import { createOAuthClient } from '../demo/oauth-client.ts'
import { startProxy } from '../src/app.ts'
import { loadConfigText } from '../src/config/load.ts'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { findFreePort } from './support/free-port.ts'
import { type Profile, startProfile } from './support/identity-profiles/profile.ts'
import type { Vendor } from './support/identity-profiles/vendor.ts'
import { AUTH0, createKeycloak } from './support/identity-profiles/vendors.ts'
import { type CapturedLog, captureLog, findSecrets } from './support/log.ts'
import { connectSdkClient, type Generation } from './support/sdk-clients.ts'

const [alice] = SAMPLE_USERS

interface Stage {
  readonly profile: Profile
  readonly mcpServer: ExampleMcpServer
  readonly origin: string
  readonly log: CapturedLog
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Starts a guide's configuration with the addresses of this machine in the place of those that it names, and nothing else changed. */
async function start(guide: string, vendor: Vendor, named: string): Promise<Stage> {
  const profile = await startProfile(vendor)
  const mcpServer = await startMcpServer()
  closing.push(profile.close, mcpServer.close)
  const port = await findFreePort()
  const text = readFileSync(new URL(`fixtures/go-proxy/${guide}.yaml`, import.meta.url), 'utf8')
    .replaceAll(named, profile.origin)
    .replace('http://localhost:8000', `http://localhost:${mcpServer.port}`)
    .replace(/^listen_port: \d+/m, `listen_port: ${port}`)
  const log = captureLog()
  const { plan } = loadConfigText(text, {
    env: {},
    directory: '.',
    terminal: false,
    flags: [{ at: ['log'], value: { level: 'debug', format: 'json' }, name: '--debug' }],
  })
  const local = { ...plan, listen: { ...plan.listen, host: '127.0.0.1' } }
  const proxy = await startProxy(local, { logDestination: log.stream })
  closing.push(proxy.close)
  return { profile, mcpServer, origin: `http://localhost:${port}`, log }
}

const auth0 = () => start('guide-auth0', AUTH0, 'https://acme.eu.auth0.com')
const keycloak = () => start('guide-keycloak', createKeycloak('master', 'mcp_proxy'), 'http://localhost:8080')

async function useTool(generation: Generation, { origin }: Stage): Promise<string> {
  const oauth = createOAuthClient({ name: 'Test client', redirectUri: 'http://localhost:50124/callback' })
  const client = await connectSdkClient({ generation, transport: 'sse', url: `${origin}/sse`, oauth, user: alice })
  try {
    return await client.callTool('echo', { message: 'hello' })
  } finally {
    await client.close()
  }
}

describe('the Go proxy’s guide for Auth0', () => {
  it.each<Generation>(['v1', 'v2 legacy'])('serves the %s client from its first request to a tool call', async (generation) => {
    const stage = await auth0()
    expect(await useTool(generation, stage)).toContain('hello')
    const { profile, log } = stage
    expect(profile.authorizations[0]?.get('audience')).toBe('mcp_proxy')
    expect(profile.tokenRequests[0]?.getAll('audience')).toEqual(['mcp_proxy'])
    expect(findSecrets(log.text(), profile.accessTokens)).toEqual([])
  })
})

describe('the Go proxy’s guide for Keycloak', () => {
  it('serves the first generation of clients', async () => {
    expect(await useTool('v1', await keycloak())).toContain('hello')
  })

  it('cannot serve clients that check who answered: they stop before they give the code away', async () => {
    const stage = await keycloak()
    await expect(useTool('v2 legacy', stage)).rejects.toThrow(/iss/i)
    expect(stage.profile.tokenRequests).toEqual([])
  })
})

describe('the metadata of a rewriting proxy', () => {
  it('names itself, where clients look for it, with what the configuration says besides', async () => {
    const { origin } = await auth0()
    for (const path of ['', '/sse']) {
      const answer = await fetch(`${origin}/.well-known/oauth-authorization-server${path}`)
      expect(await answer.json()).toMatchObject({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        registration_endpoint: `${origin}/register`,
        grant_types_supported: ['authorization_code', 'refresh_token'],
      })
    }
    const resource = await fetch(`${origin}/.well-known/oauth-protected-resource/sse`)
    expect(await resource.json()).toMatchObject({ authorization_servers: [origin] })
  })
})
