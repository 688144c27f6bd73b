// Names of users mean something within their identity provider only (OpenID Connect Core §5.7), also when that is changed for another.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { signInBrowser } from '../support/broker-browser.ts'
import { callMcp, createRawClient, createRequest, obtainTokens, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'

const [alice] = SAMPLE_USERS
const SECRETS = { PROVIDER_SECRET: BROKER_CLIENT_SECRET, KEY: randomBytes(32).toString('base64') }

let providers: AuthorizationServer[]
let recorder: Server
let heard: string
let mcpServer: ExampleMcpServer
let folder: string
let port: number
let proxy: TestProxy | undefined

beforeAll(async () => {
  const options = { clients: [BROKER_CLIENT], accessTokenSeconds: 60 }
  providers = [await startAuthorizationServer(options), await startAuthorizationServer(options)]
  heard = ''
  recorder = createServer(async (request, response) => {
    heard += `${request.method} ${request.url} ${JSON.stringify(request.headers)} ${await text(request)}\n`
    const { port: at } = recorder.address() as { port: number }
    const issuer = `http://localhost:${at}`
    const endpoints = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(endpoints))
  })
  await listenOnLoopback(recorder, 0)
  mcpServer = await startMcpServer()
  folder = mkdtempSync(join(tmpdir(), 'moved-'))
  port = await findFreePort()
})
afterAll(async () => {
  vi.useRealTimers()
  await proxy?.close()
  await Promise.all([...(providers ?? []).map((provider) => provider.close()), closeServer(recorder), mcpServer?.close()])
  rmSync(folder, { recursive: true, force: true })
})

async function startAt(issuer: string): Promise<string> {
  await proxy?.close()
  const origin = `http://localhost:${port}`
  const config = {
    public_url: origin,
    listen: { port },
    identity_provider: { issuer, client_id: BROKER_CLIENT_ID, client_secret: { env: 'PROVIDER_SECRET' } },
    broker: {
      store: { kind: 'sqlite' as const, path: join(folder, 'broker.db') },
      encryption_keys: [{ env: 'KEY' }],
      registration: { per_minute: 1000 },
    },
    servers: [
      {
        name: 'example',
        path: '/mcp',
        upstream: mcpServer.streamableHttpUrl,
        scopes: ['mcp:tools'],
        credential: 'identity_provider_token' as const,
      },
    ],
  }
  proxy = await startTestProxy(config, SECRETS)
  // Connections to the one before are found dead by whoever uses them next.
  await waitUntil(async () => (await fetch(`${origin}/healthz`).catch(() => undefined))?.status === 200, 'it answers')
  return origin
}

it('a user of the identity provider of before has nothing of a user of the same name at the one of now, and tokens of the one are never shown to the other', async () => {
  const [first, second] = providers.map(({ issuer }) => issuer)
  const origin = await startAt(first ?? '')
  const client = await createRawClient(origin)
  const browser = await signInBrowser(createRequest(origin, client).url, alice)
  const old = await obtainTokens(origin, client, alice)
  expect(await callMcp(`${origin}/mcp`, old.access_token)).toBe(200)

  const { port: at } = recorder.address() as { port: number }
  await startAt(`http://localhost:${at}`)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 })
  expect(await callMcp(`${origin}/mcp`, old.access_token)).toBe(401)
  const refused = await refresh(origin, client, old.refresh_token)
  expect([refused.status, await readJson(refused)]).toMatchObject([400, { error: 'invalid_grant' }])
  expect(heard).not.toContain('/token')
  vi.useRealTimers()

  await startAt(second ?? '')
  // The registration is not of the user, and stays.
  const fresh = await obtainTokens(origin, client, alice)
  expect(await callMcp(`${origin}/mcp`, fresh.access_token)).toBe(200)
  expect(await callMcp(`${origin}/mcp`, old.access_token)).toBe(401)
  expect((await refresh(origin, client, old.refresh_token)).status).toBe(400)
  const asked = await browser.open(createRequest(origin, client).url)
  expect(asked.headers.get('location')).toContain('/sign-in/')

  await startAt(first ?? '')
  expect((await refresh(origin, client, fresh.refresh_token)).status).toBe(400)
}, 30_000)
