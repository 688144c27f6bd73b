import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../demo/mcp-server.ts'
import { createOAuthClient, type OAuthClient } from '../demo/oauth-client.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { type ClientMetadataServer, startClientMetadataServer } from './support/client-metadata.ts'
import { type EverythingServer, startEverythingServer } from './support/everything-server.ts'
import { findSecrets } from './support/log.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import {
  connectSdkClient,
  type Generation,
  SAMPLED,
  SDK_CLIENTS,
  type SdkClient,
  type TransportKind,
} from './support/sdk-clients.ts'

const [alice, bob] = SAMPLE_USERS
const REDIRECT_URI = 'http://localhost:50123/callback'
const TOKEN_SECONDS = 600

let authorizationServer: AuthorizationServer
let published: ClientMetadataServer
let streamable: EverythingServer
let sse: EverythingServer
let example: ExampleMcpServer
let proxy: TestProxy

beforeAll(async () => {
  published = await startClientMetadataServer({
    client_name: 'Published client',
    redirect_uris: ['http://localhost/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  })
  ;[authorizationServer, streamable, sse, example] = await Promise.all([
    startAuthorizationServer({ accessTokenSeconds: TOKEN_SECONDS, fetchClientMetadata: published.fetch }),
    startEverythingServer('streamableHttp'),
    startEverythingServer('sse'),
    startMcpServer(),
  ])
  const policy = {
    scopes: ['mcp:tools'],
    rules: [
      { tool: 'get-sum', scopes: ['mcp:admin'] },
      { tool: 'admin_*', scopes: ['mcp:admin'] },
    ],
  }
  proxy = await startTestProxy({
    issuers: [{ issuer: authorizationServer.issuer, clock_tolerance_seconds: 0 }],
    servers: [
      { name: 'streamable', path: '/mcp', upstream: streamable.url, ...policy },
      { name: 'sse', sse: { path: '/old/sse', upstream: sse.url }, ...policy },
      { name: 'example', path: '/example/mcp', upstream: example.streamableHttpUrl, ...policy },
    ],
  })
  for (const path of ['/mcp', '/old/sse', '/example/mcp']) authorizationServer.addResource(`${proxy.origin}${path}`)
})

afterAll(async () => {
  await proxy?.close()
  await Promise.all([authorizationServer, streamable, sse, example, published].map((server) => server?.close()))
})

type Registration = 'dynamic' | 'published'

function createOAuth(registration: Registration, grantTypes?: string[]): OAuthClient {
  const oauth = createOAuthClient({
    name: 'Test client',
    redirectUri: REDIRECT_URI,
    ...(registration === 'published' && { clientMetadataUrl: published.clientId }),
  })
  if (grantTypes) oauth.clientMetadata.grant_types = grantTypes
  return oauth
}

const PATHS: Record<TransportKind, string> = { streamable: '/mcp', sse: '/old/sse' }

function connect(
  generation: Generation,
  transport: TransportKind,
  oauth: OAuthClient,
  path = PATHS[transport],
): Promise<SdkClient> {
  return connectSdkClient({ generation, transport, url: `${proxy.origin}${path}`, oauth, user: alice })
}

describe.each(SDK_CLIENTS)('the %s client over %s, to server-everything', (generation, transport) => {
  const open: SdkClient[] = []
  const start = async (oauth: OAuthClient) => {
    const client = await connect(generation, transport, oauth)
    open.push(client)
    return client
  }
  afterEach(async () => {
    vi.useRealTimers()
    await Promise.all(open.splice(0).map((client) => client.close()))
  })

  it.each(['dynamic', 'published'] as const)(
    'finds its way from a bare 401 to a token, with a %s registration, and uses everything',
    async (registration) => {
      const oauth = createOAuth(registration)
      const client = await start(oauth)
      const clientId = oauth.clientInformation()?.client_id
      expect(clientId === published.clientId).toBe(registration === 'published')
      expect(client.revision).toBe(transport === 'streamable' ? '2025-11-25' : undefined)
      expect(await client.listTools()).toContain('echo')
      expect(await client.callTool('echo', { message: 'Grüße, 世界' })).toBe('Echo: Grüße, 世界')
      expect(await client.readResource('demo://resource/dynamic/text/1')).toContain('Resource 1')
      expect(await client.getPrompt('simple-prompt')).toContain('simple prompt without arguments')
    },
  )

  it('sees progress while a call runs', async () => {
    const client = await start(createOAuth('dynamic'))
    const progress: number[] = []
    await client.callTool(
      'trigger-long-running-operation',
      { duration: 0.15, steps: 3 },
      { onprogress: (step) => progress.push(step) },
    )
    expect(progress.slice(0, 2)).toEqual([1, 2])
  })

  it('answers what the server asks back in the middle of a call', async () => {
    const client = await start(createOAuth('dynamic'))
    expect(await client.callTool('trigger-sampling-request', { prompt: 'x' })).toContain(SAMPLED)
  })

  it('hears what the server says of its own accord', async () => {
    const client = await start(createOAuth('dynamic'))
    await client.streamOpened
    await client.callTool('toggle-simulated-logging')
    expect(await client.nextLogMessage()).toMatch(/message/)
  })

  it('refreshes its token when it has expired, without its user', async () => {
    const oauth = createOAuth('dynamic')
    const client = await start(oauth)
    await client.streamOpened
    const before = oauth.tokens()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + (TOKEN_SECONDS + 1) * 1000 })
    expect(await client.callTool('echo', { message: 'still here' })).toBe('Echo: still here')
    expect(oauth.tokens()?.access_token).not.toBe(before?.access_token)
    expect(oauth.tokens()?.refresh_token).not.toBe(before?.refresh_token)
    expect(oauth.waitingFor()).toBeUndefined()
  })

  it('is refused a tool whose scope it lacks, and the refusal names the scope', async () => {
    const client = await start(createOAuth('dynamic'))
    const seen = proxy.log.waitFor(
      ({ code, server }) => code === 'scope_insufficient' && server === (transport === 'sse' ? 'sse' : 'streamable'),
    )
    await expect(client.callTool('get-sum', { a: 1, b: 2 })).rejects.toThrow()
    expect(await seen).toMatchObject({ status: 403 })
  })
})

describe('step-up after a 403', () => {
  it.each(['v2 legacy', 'v2 auto'] as const)(
    'lets the %s client ask for the missing scope and go on in the same session',
    async (generation) => {
      const oauth = createOAuth('published')
      const client = await connectAsBob(generation, oauth)
      expect(oauth.tokens()?.scope).toBe('mcp:tools')
      expect(await client.callTool('get-sum', { a: 1, b: 2 })).toBe('The sum of 1 and 2 is 3.')
      expect(oauth.tokens()?.scope?.split(' ').sort()).toEqual(['mcp:admin', 'mcp:tools'])
      await client.close()
    },
  )

  it('works with the v1 client too, where it holds no refresh token that it would rather use', async () => {
    const oauth = createOAuth('dynamic', ['authorization_code'])
    const client = await connectAsBob('v1', oauth)
    expect(await client.callTool('get-sum', { a: 1, b: 2 })).toBe('The sum of 1 and 2 is 3.')
    // The first generation asks for the scopes of the challenge alone: the challenge must repeat what the token had.
    expect(oauth.tokens()?.scope?.split(' ').sort()).toEqual(['mcp:admin', 'mcp:tools'])
    await client.close()
  })

  it('does not help a user who may not grant the scope', async () => {
    const oauth = createOAuth('dynamic')
    const client = await connect('v2 legacy', 'streamable', oauth)
    await expect(client.callTool('get-sum', { a: 1, b: 2 })).rejects.toThrow()
    expect(await client.callTool('echo', { message: 'x' })).toBe('Echo: x')
    await client.close()
  })

  function connectAsBob(generation: Generation, oauth: OAuthClient): Promise<SdkClient> {
    return connectSdkClient({ generation, transport: 'streamable', url: `${proxy.origin}/mcp`, oauth, user: bob })
  }
})

describe('MCP sessions', () => {
  it.each(['v1', 'v2 legacy'] as const)(
    'end when the %s client says so (DELETE), and the server behind the proxy hears it',
    async (generation) => {
      const ended = streamable.output().split('session termination').length
      const client = await connect(generation, 'streamable', createOAuth('dynamic'))
      await client.terminate()
      expect(streamable.output().split('session termination').length).toBe(ended + 1)
      await client.close()
    },
  )
})

describe('the v2 client in auto mode, to a server of 2026-07-28', () => {
  it('negotiates 2026-07-28 and uses everything', async () => {
    const oauth = createOAuth('published')
    const client = await connect('v2 auto', 'streamable', oauth, '/example/mcp')
    expect(client.revision).toBe('2026-07-28')
    expect(await client.listTools()).toEqual(['echo', 'count_slowly', 'admin_reset'])
    expect(await client.callTool('echo', { message: 'x' })).toBe('Echo: x')
    expect(await client.readResource('echo://h%C3%A9llo')).toContain('Resource echo: héllo')
    expect(await client.getPrompt('echo', { message: 'x' })).toContain('Please process this message: x')
    const progress: number[] = []
    await client.callTool('count_slowly', { steps: 3, step_ms: 1 }, { onprogress: (step) => progress.push(step) })
    expect(progress).toEqual([1, 2, 3])
    expect(await client.callTool('admin_reset', {}, { user: bob })).toContain('echo: 1')
    expect(example.received.withCredentials).toBe(0)
    await client.close()
  })
})

describe('what all this left behind', () => {
  it('holds no token in the log', async () => {
    const oauth = createOAuth('dynamic')
    const client = await connect('v2 legacy', 'streamable', oauth)
    await client.callTool('echo', { message: 'x' })
    await client.close()
    const { access_token: token = '', refresh_token: refresh = '' } = oauth.tokens() ?? {}
    expect(proxy.log.lines().length).toBeGreaterThan(10)
    expect(findSecrets(proxy.log.text(), [token, refresh])).toEqual([])
  })
})
