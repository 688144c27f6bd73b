// What a reload does to those who are signed in, and to the broker's settings.
import { afterEach, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { callMcp, createRawClient, obtainTokens, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT_ID, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice] = SAMPLE_USERS
let stage: BrokerStage
afterEach(() => stage.close())

async function signIn() {
  stage = await startBrokerStage()
  const { origin } = stage.proxy
  const client = await createRawClient(origin)
  const tokens = await obtainTokens(origin, client, alice)
  return { client, tokens, origin }
}

const broker = { store: { kind: 'memory' as const }, authorizations_per_minute: 100_000 }
const provider = (more: Record<string, unknown> = {}) => ({
  issuer: stage.identityProvider.issuer,
  name: 'Example ID',
  client_id: BROKER_CLIENT_ID,
  client_secret: { env: 'BROKER_SECRET' },
  scopes: ['openid', 'profile', 'email', 'groups'],
  ...more,
})
const readKeys = async (origin: string): Promise<unknown> =>
  readJson(await fetch((await readJson(await fetch(`${origin}/.well-known/oauth-authorization-server`))).jwks_uri))

it('keeps sign-ins, registrations, tokens and keys when the broker is made anew', async () => {
  const { client, tokens, origin } = await signIn()
  const keys = await readKeys(origin)
  const report = await stage.proxy.reloadWith({ broker: { ...broker, access_token_seconds: 120 } })
  expect(report).toMatchObject({ outcome: 'reloaded', changed: expect.arrayContaining(['broker: access_token_seconds']) })
  expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
  expect(await readKeys(origin)).toEqual(keys)
  const refreshed = await readJson(await refresh(origin, client, tokens.refresh_token))
  expect(refreshed.expires_in).toBe(120)
  expect(await callMcp(stage.url, refreshed.access_token)).toBe(200)
})

it('changes nothing of the broker when nothing of it has changed, whatever is random at each start', async () => {
  await signIn()
  expect(await stage.proxy.reload()).toMatchObject({ outcome: 'reloaded', changed: [] })
})

it('lets no user in any more whom `allow` leaves out now, and ends what they have', async () => {
  const { client, tokens, origin } = await signIn()
  const report = await stage.proxy.reloadWith({
    identity_provider: provider({ allow: [{ claim: 'email', values: ['nobody@example.com'] }] }),
  })
  expect(report).toMatchObject({ outcome: 'reloaded' })
  expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
  expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
})

it('cuts the scopes of users by the rules of now', async () => {
  const { tokens } = await signIn()
  await stage.proxy.reloadWith({
    servers: [{ name: 'example', path: '/mcp', upstream: stage.mcpServer.streamableHttpUrl, scopes: ['mcp:other'] }],
  })
  expect(await callMcp(stage.url, tokens.access_token)).toBe(403)
})

it('names what only a restart can change', async () => {
  await signIn()
  const report = await stage.proxy.reloadWith(
    {
      identity_provider: provider({ issuer: 'https://other.example.com' }),
      broker: { ...broker, store: { kind: 'sqlite', path: `${stage.folder}/s.db` } },
      encryption_keys: [{ env: 'KEY' }],
    },
    { BROKER_SECRET: 'x', KEY: Buffer.alloc(32, 'key of tests').toString('base64') },
  )
  expect(report).toEqual({
    outcome: 'restart_needed',
    settings: expect.arrayContaining(['identity_provider.issuer', 'store', 'encryption_keys']),
  })
  expect(
    await stage.proxy.reloadWith({ identity_provider: undefined, issuers: ['https://idp.example.com'], broker: undefined }),
  ).toMatchObject({
    outcome: 'restart_needed',
    settings: expect.arrayContaining(['identity_provider']),
  })
})
