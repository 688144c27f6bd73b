// The store of a broker goes away and comes back while it is asked.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  callMcp,
  createRawClient,
  createRequest,
  obtainTokens,
  postForm,
  type RawClient,
  refresh,
  register,
} from '../support/broker-client.ts'
import { BROKER_CLIENT_SECRET, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { findSecrets } from '../support/log.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const [alice] = SAMPLE_USERS
const KEY = Buffer.alloc(32, 'key of tests').toString('base64')

describe.skipIf(!hasRedisServer())('a broker whose store is gone', { timeout: 60_000 }, () => {
  let redis: RedisServer
  let stage: BrokerStage
  let origin: string
  let client: RawClient
  let tokens: { access_token: string; refresh_token: string }

  beforeAll(async () => {
    redis = await startRedisServer()
    stage = await startBrokerStage({
      broker: { store: { kind: 'redis', url: redis.url }, encryption_keys: [{ env: 'KEY' }] },
      env: { KEY: KEY },
    })
    origin = stage.proxy.origin
    client = await createRawClient(origin)
    tokens = await obtainTokens(origin, client, alice)
    expect(await isReady()).toBe(true)
    await redis.close()
    await waitUntil(async () => !(await isReady()), 'the broker is not ready')
  })
  afterAll(async () => {
    await stage?.close()
    await redis?.close()
  })

  const isReady = async (): Promise<boolean> => (await fetch(`${origin}/readyz?for=broker`)).status === 200
  const forTest = { redirect: 'manual' } as const

  const asked: [string, () => Promise<Response>][] = [
    ['a registration', () => register(origin, { client_name: 'Another', redirect_uris: ['https://client.example/cb'] })],
    [
      'a code',
      () =>
        postForm(`${origin}/token`, {
          grant_type: 'authorization_code',
          client_id: client.id,
          code: 'a-code',
          code_verifier: 'v'.repeat(43),
          redirect_uri: client.redirectUri,
        }),
    ],
    ['a refresh', () => refresh(origin, client, tokens.refresh_token)],
    ['a revocation', () => postForm(`${origin}/revoke`, { token: tokens.refresh_token, client_id: client.id })],
  ]

  it.each(asked)('tells the client to come again (503): %s', async (_what, ask) => {
    const response = await ask()
    expect(response.status).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]+$/)
  })

  it.each([
    ['/authorize', () => createRequest(origin, client).url],
    ['the way back from the consent', () => new URL('/authorize/an-interaction', origin)],
    ['the consent page', () => new URL('/sign-in/an-interaction', origin)],
    ['the way back from the identity provider', () => new URL('/oauth/callback?state=a&code=b', origin)],
  ])('tells the user to come again (503), or that the sign-in is over: %s', async (where, urlOf) => {
    const response = await fetch(urlOf(), { ...forTest, headers: { accept: 'text/html' } })
    const page = await response.text()
    expect(/request id: <code>([^<]+)</.exec(page)?.[1]).toBe(response.headers.get('x-request-id'))
    if (where === '/authorize') {
      expect(response.status).toBe(503)
      expect(page).toContain('Signing in is not possible right now')
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    } else expect([400, 403, 503]).toContain(response.status)
  })

  it('lets no token pass that it cannot ask about (503)', async () => {
    expect([200, 503]).toContain(await callMcp(stage.url, tokens.access_token))
    // What was asked a moment ago counts for five seconds.
    await waitUntil(async () => (await callMcp(stage.url, tokens.access_token)) === 503, 'the token cannot be checked')
  })

  it('stays in the load balancer, for what needs no store', async () => {
    expect((await fetch(`${origin}/readyz`)).status).toBe(200)
    expect((await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).status).toBe(200)
  })

  it('says in the log that it is the store, once for each request, and no secret', () => {
    const log = stage.proxy.log.text()
    expect(log).toContain('"code":"store_unavailable"')
    expect(log).not.toContain('internal_error')
    expect(log).not.toMatch(/\\n\s+at /)
    expect(findSecrets(log, [BROKER_CLIENT_SECRET, tokens.access_token, tokens.refresh_token, KEY])).toEqual([])
  })

  it('goes on when the store is back', async () => {
    redis = await startRedisServer({ port: redis.port })
    await waitUntil(isReady, 'the broker is ready')
    const again = await createRawClient(origin)
    expect((await obtainTokens(origin, again, alice)).access_token).toBeTruthy()
  })
})
