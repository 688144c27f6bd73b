import type { StoredOAuthTokens } from '@modelcontextprotocol/client'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOAuthClient, type OAuthClient } from '../../demo/oauth-client.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { BROKER_CLIENT_SECRET, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { type ClientMetadataServer, startClientMetadataServer } from '../support/client-metadata.ts'
import { findSecrets } from '../support/log.ts'
import { connectSdkClient, type Generation, type SdkClient } from '../support/sdk-clients.ts'

const [alice, bob] = SAMPLE_USERS
const REDIRECT_URI = 'http://localhost:50124/callback'

let published: ClientMetadataServer
let stage: BrokerStage

beforeAll(async () => {
  published = await startClientMetadataServer({
    client_name: 'Published client',
    redirect_uris: ['http://localhost/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  })
  stage = await startBrokerStage({
    ca: published.ca,
    provider: { grant: [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }] },
  })
})

afterAll(async () => {
  await stage?.close()
  await published?.close()
})

/** Every token that a client of this file was given, and what clients have dropped. */
const issued: StoredOAuthTokens[] = []
const dropped: string[] = []
beforeEach(() => {
  dropped.length = 0
})

type Registration = 'dynamic' | 'published'

function createOAuth(registration: Registration): OAuthClient {
  const oauth = createOAuthClient({
    name: 'Test client',
    redirectUri: REDIRECT_URI,
    ...(registration === 'published' && { clientMetadataUrl: published.clientId }),
  })
  return {
    ...oauth,
    saveTokens: (tokens) => {
      issued.push(tokens)
      return oauth.saveTokens(tokens)
    },
    invalidateCredentials: (what) => {
      dropped.push(what)
      return oauth.invalidateCredentials?.(what)
    },
  }
}

function connect(generation: Generation, oauth: OAuthClient, user: typeof alice = alice): Promise<SdkClient> {
  return connectSdkClient({ generation, transport: 'streamable', url: stage.url, oauth, user })
}

/** A token like the one given, but for its signature. */
const spoil = (token: string) => `${token.split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`

const GENERATIONS: Generation[] = ['v1', 'v2 legacy', 'v2 auto']
const CASES = GENERATIONS.flatMap((generation) => (['dynamic', 'published'] as const).map((how) => [generation, how] as const))

describe.each(CASES)('the %s client with a %s registration', (generation, registration) => {
  it('gets from nothing to a tool call, signed in at the identity provider', async () => {
    const oauth = createOAuth(registration)
    const client = await connect(generation, oauth)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    const { access_token: token = '' } = oauth.tokens() ?? {}
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
    expect(decodeJwt(token)).toMatchObject({ iss: stage.proxy.origin, aud: stage.url, sub: 'alice', scope: 'mcp:tools' })
    const clientId = oauth.clientInformation()?.client_id ?? ''
    expect(clientId.startsWith('https://')).toBe(registration === 'published')
    await client.close()
  })

  it('gets a fresh token without its user, and keeps working', async () => {
    const oauth = createOAuth(registration)
    const client = await connect(generation, oauth)
    const before = oauth.tokens()
    expect(before?.refresh_token).toBeDefined()
    await oauth.saveTokens({ ...before, access_token: spoil(before?.access_token ?? ''), token_type: 'Bearer' })
    expect(await client.callTool('echo', { message: 'again' })).toContain('again')
    expect(oauth.waitingFor()).toBeUndefined()
    expect(oauth.tokens()?.refresh_token).not.toBe(before?.refresh_token)
    await client.close()
  })

  it('steps up when a tool needs more scope, and its user has it', async () => {
    const oauth = createOAuth(registration)
    const client = await connect(generation, oauth, bob)
    expect(decodeJwt(oauth.tokens()?.access_token ?? '').scope).toBe('mcp:tools')
    expect(await client.callTool('admin_reset', {}, { user: bob })).toMatch(/admin_reset: \d/)
    expect(
      String(decodeJwt(oauth.tokens()?.access_token ?? '').scope)
        .split(' ')
        .sort(),
    ).toEqual(['mcp:admin', 'mcp:tools'])
    expect(dropped).toEqual([])
    await client.close()
  })

  it('is refused a tool that the groups of its user do not permit', async () => {
    const oauth = createOAuth(registration)
    const client = await connect(generation, oauth)
    await expect(client.callTool('admin_reset')).rejects.toThrow()
    expect(dropped).toEqual([])
    expect(await client.callTool('echo', { message: 'still here' })).toContain('still here')
    await client.close()
  })
})

it('neither shows the log a secret nor the MCP server a token', () => {
  expect(stage.mcpServer.received.requests).toBeGreaterThan(0)
  expect(stage.mcpServer.received.withCredentials).toBe(0)
  const secrets = [
    BROKER_CLIENT_SECRET,
    ...issued.flatMap(({ access_token: access, refresh_token: refresh }) => [access, refresh ?? access]),
  ]
  expect(secrets.length).toBeGreaterThan(10)
  expect(findSecrets(stage.proxy.log.text(), secrets)).toEqual([])
})
