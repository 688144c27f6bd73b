import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, type RawClient, readJson, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { connectSdkClient, type Generation } from '../support/sdk-clients.ts'

const [alice, bob] = SAMPLE_USERS

let stage: BrokerStage
let origin: string
let client: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({
    provider: { grant: [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }] },
    broker: { refresh_grace_seconds: 0 },
  })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterAll(() => stage?.close())

/** Calls a tool that needs `mcp:admin`. */
const callAdmin = (token: string): Promise<Response> =>
  fetch(stage.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'admin_reset', arguments: {} } }),
  })

const start = (user: User, scope = 'mcp:tools') => obtainTokens(origin, client, user, { scope })

describe('a refusal for scope', () => {
  it('names what is missing, in its body too', async () => {
    const { access_token: token } = await start(bob)
    const response = await callAdmin(token)
    expect([response.status, await readJson(response)]).toEqual([
      403,
      {
        jsonrpc: '2.0',
        id: 7,
        error: expect.objectContaining({
          data: { error: 'scope_insufficient', missing_scopes: ['mcp:admin'], request_id: expect.any(String) },
        }),
      },
    ])
  })
})

describe('the refresh behind a refusal for scope', () => {
  it('fails once with what means that it is not over (503 server_error), and the token stays good', async () => {
    const tokens = await start(bob)
    expect((await callAdmin(tokens.access_token)).status).toBe(403)
    const response = await refresh(origin, client, tokens.refresh_token)
    expect([response.status, await readJson(response)]).toMatchObject([503, { error: 'server_error' }])
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    expect(stage.proxy.log.text()).not.toContain('internal_error')
  })

  it('is as any other for a user whom no rule gives that scope', async () => {
    const tokens = await start(alice)
    expect((await callAdmin(tokens.access_token)).status).toBe(403)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it('is as any other where it brings the scope', async () => {
    const whole = await start(bob, 'mcp:tools mcp:admin')
    const narrow = await readJson(await refresh(origin, client, whole.refresh_token, { scope: 'mcp:tools' }))
    expect((await callAdmin(narrow.access_token)).status).toBe(403)
    const response = await refresh(origin, client, narrow.refresh_token)
    expect([response.status, (await readJson(response)).scope]).toEqual([200, 'mcp:tools mcp:admin'])
  })

  it('of another sign-in of the same user is as any other', async () => {
    const [one, other] = [await start(bob), await start(bob)]
    expect((await callAdmin(one.access_token)).status).toBe(403)
    expect((await refresh(origin, client, other.refresh_token)).status).toBe(200)
  })
})

describe('a configured scopes_supported', () => {
  let other: BrokerStage
  beforeAll(async () => {
    other = await startBrokerStage({
      servers: (upstream) => [
        {
          path: '/mcp',
          upstream,
          scopes: ['mcp:tools'],
          rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }],
          scopes_supported: ['mcp:admin'],
        },
      ],
    })
  })
  afterAll(() => other?.close())

  it('stands in the challenge of a 401, where clients look first, and the base scopes with it', async () => {
    for (const headers of [{}, { authorization: 'Bearer' }, { authorization: 'Bearer wrong' }] as Record<string, string>[]) {
      const response = await fetch(other.url, { method: 'POST', headers })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain('scope="mcp:tools mcp:admin"')
    }
  })

  it.each<Generation>(['v1', 'v2 legacy', 'v2 auto'])('is what the %s client signs in for', async (generation) => {
    const oauth = createOAuthClient({ name: 'Test', redirectUri: 'http://localhost:50124/callback' })
    const connected = await connectSdkClient({ generation, transport: 'streamable', url: other.url, oauth, user: bob })
    expect(oauth.tokens()?.scope?.split(' ').sort()).toEqual(['mcp:admin', 'mcp:tools'])
    expect(await connected.callTool('admin_reset')).toMatch(/admin_reset: \d/)
    await connected.close()
  })
})
