// Two processes behind one load balancer that sends every other request to the other, with one store.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as forward, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  callMcp,
  createRawClient,
  obtainTokens,
  postForm,
  type RawClient,
  readJson,
  redeem,
  refresh,
} from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { JWT_BEARER } from '../support/machine-stage.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { PROGRAMS } from '../support/versions.ts'

const [alice, bob] = SAMPLE_USERS
const AGENT_SECRET = 'secret-of-the-agent-0123456789'

let identityProvider: AuthorizationServer
let assertionIssuer: TestIssuer
let mcpServer: ExampleMcpServer
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'two-'))
  // Its tokens are over at once: every refresh of ours asks it, and a refresh token that it sees twice ends everything.
  const options = { clients: [BROKER_CLIENT], accessTokenSeconds: 1, refreshGraceSeconds: 0 }
  ;[identityProvider, assertionIssuer, mcpServer] = await Promise.all([
    startAuthorizationServer(options),
    startIssuer(),
    startMcpServer(),
  ])
})
afterAll(async () => {
  await Promise.all([identityProvider?.close(), assertionIssuer?.close(), mcpServer?.close()])
  rmSync(folder, { recursive: true, force: true })
})

describe('two processes that share SQLite', { timeout: 60_000 }, () => {
  story(async () => ({ kind: 'sqlite', path: join(folder, 'broker.db') }))
})

describe.skipIf(!hasRedisServer())('two processes that share Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer | undefined
  afterAll(() => redis?.close())
  story(async () => {
    redis = await startRedisServer()
    return { kind: 'redis', url: redis.url }
  })
})

/** Sends every other request to the other. */
function createBalancer(ports: readonly number[]): Server {
  let turn = 0
  return createServer((request, response) => {
    turn += 1
    const { method = 'GET', url = '/', headers } = request
    const onward = forward({ host: '127.0.0.1', port: ports[turn % ports.length] ?? 0, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
}

function story(chooseStore: () => Promise<object>): void {
  let origin: string
  let balancer: Server
  let processes: ChildProcess[] = []
  let direct: string[] = []
  let client: RawClient
  let signer: CryptoKey

  beforeAll(async () => {
    const ports = [await findFreePort(), await findFreePort()]
    direct = ports.map((port) => `http://localhost:${port}`)
    balancer = createBalancer(ports)
    origin = `http://localhost:${await listenOnLoopback(balancer, 0)}`
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    signer = privateKey
    const keysFile = join(folder, `${ports[0]}.jwks.json`)
    writeFileSync(keysFile, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] }))
    const store = await chooseStore()
    const env = {
      ...process.env,
      PROVIDER_SECRET: BROKER_CLIENT_SECRET,
      AGENT_SECRET,
      KEY: randomBytes(32).toString('base64'),
    }
    const start = (port: number, index: number): ChildProcess => {
      const file = join(folder, `${port}.json`)
      writeFileSync(file, JSON.stringify({ ...describeConfig(origin, store, keysFile), listen: { port } }))
      return spawn(process.execPath, [PROGRAMS[index] ?? '', '--config', file], { env, stdio: 'ignore' })
    }
    // At the same moment: with an empty store, too, they must agree on keys.
    processes = ports.map(start)
    for (const one of direct) {
      await waitUntil(async () => (await fetch(`${one}/readyz`).catch(() => undefined))?.status === 200, 'it is ready', 30_000)
    }
    client = await createRawClient(origin)
  }, 60_000)
  afterAll(async () => {
    const exits = processes.map((child) => once(child, 'exit'))
    for (const child of processes) child.kill('SIGKILL')
    await Promise.all(exits)
    if (balancer) await closeServer(balancer)
  })

  /** Sends the same to both processes, several times at the same moment. */
  async function everywhere(send: (at: string) => Promise<Response>): Promise<Response[]> {
    return Promise.all([0, 1, 2].flatMap(() => direct.map(send)))
  }
  const countGood = (answers: readonly Response[]) => answers.filter(({ status }) => status === 200).length

  it('let a user sign in, a step here and a step there', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    for (const one of direct) expect(await callMcp(`${one}/mcp`, tokens.access_token)).toBe(200)
  })

  it('give tokens for a code once, and end them when the other is shown it again (RFC 6749 §4.1.2)', async () => {
    const code = await authorize(origin, client, alice)
    const first = await readJson(await redeem(direct[0] ?? '', client, code))
    expect(await callMcp(`${direct[0]}/mcp`, first.access_token)).toBe(200)
    expect((await redeem(direct[1] ?? '', client, code)).status).toBe(400)
    expect((await refresh(direct[0] ?? '', client, first.refresh_token)).status).toBe(400)
    expect(await callMcp(`${direct[1]}/mcp`, first.access_token)).toBe(401)
  })

  it('have a client ask its user for more scope, where one refuses the call and the other gets the refresh', async () => {
    const [one = '', other = ''] = direct
    const tokens = await obtainTokens(origin, client, bob)
    expect(await callAdmin(`${one}/mcp`, tokens.access_token)).toBe(403)
    // What this process asks of the store now comes after what it has just written there.
    expect((await refresh(one, client, 'no-token')).status).toBe(400)
    const refused = await refresh(other, client, tokens.refresh_token)
    expect([refused.status, await readJson(refused)]).toMatchObject([503, { error: 'server_error' }])
    expect((await refresh(other, client, tokens.refresh_token)).status).toBe(200)
  })

  it('give tokens for a code to at most one of those who show it to both at the same moment', async () => {
    const code = await authorize(origin, client, alice)
    expect(countGood(await everywhere((at) => redeem(at, client, code)))).toBeLessThanOrEqual(1)
  })

  it('rotate a refresh token once, when both are shown it at the same moment (RFC 9700 §4.14.2)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    expect(countGood(await everywhere((at) => refresh(at, client, tokens.refresh_token)))).toBeLessThanOrEqual(1)
  })

  it('never show the identity provider a refresh token twice, whichever process is asked', async () => {
    const sessions = await Promise.all([0, 1, 2, 3].map(() => obtainTokens(origin, client, bob)))
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(
        sessions.map(({ refresh_token: token }, index) => refresh(direct[index % 2] ?? '', client, token)),
      )
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      for (const [index, answer] of answers.entries()) sessions[index] = await readJson(answer)
    }
    for (const { access_token: token } of sessions) expect(await callMcp(`${origin}/mcp`, token)).toBe(200)
  })

  it('take an assertion of a client once, when both are shown it at the same moment (RFC 7523 §3, 7)', async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: 'signer', sub: 'signer', aud: origin, jti: crypto.randomUUID(), iat: now, exp: now + 60 }
    const assertion = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(signer)
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }
    expect(countGood(await everywhere((at) => postForm(`${at}/token`, form)))).toBe(1)
  })

  it('take an identity assertion once, when both are shown it at the same moment (RFC 7523 §3, 7)', async () => {
    const exp = Math.floor(Date.now() / 1000) + 300
    const claims = { aud: origin, client_id: 'agent', resource: `${origin}/mcp`, exp }
    const assertion = await assertionIssuer.mint({ claims, header: { typ: 'oauth-id-jag+jwt' } })
    const form = { grant_type: JWT_BEARER, assertion, client_id: 'agent', client_secret: AGENT_SECRET }
    expect(countGood(await everywhere((at) => postForm(`${at}/token`, form)))).toBe(1)
  })

  it('forget a revoked token both, within seconds (RFC 7009 §2)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    for (const one of direct) expect(await callMcp(`${one}/mcp`, tokens.access_token)).toBe(200)
    await postForm(`${direct[0]}/revoke`, { token: tokens.access_token, client_id: client.id })
    expect(await callMcp(`${direct[0]}/mcp`, tokens.access_token)).toBe(401)
    await waitUntil(
      async () => (await callMcp(`${direct[1]}/mcp`, tokens.access_token)) === 401,
      'the other forgot it too',
      15_000,
    )
  })
}

/** Calls a tool that needs `mcp:admin`. */
async function callAdmin(url: string, token: string): Promise<number> {
  const accept = 'application/json, text/event-stream'
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'admin_reset', arguments: {} } }),
  })
  await response.arrayBuffer()
  return response.status
}

function describeConfig(origin: string, store: object, keysFile: string): object {
  return {
    public_url: origin,
    identity_provider: {
      issuer: identityProvider.issuer,
      client_id: BROKER_CLIENT_ID,
      client_secret: { env: 'PROVIDER_SECRET' },
    },
    broker: {
      store,
      encryption_keys: [{ env: 'KEY' }],
      refresh_grace_seconds: 0,
      clients: [
        { client_id: 'signer', public_keys_file: keysFile, grants: ['client_credentials'] },
        { client_id: 'agent', client_secret: { env: 'AGENT_SECRET' }, grants: ['jwt_bearer'] },
      ],
      identity_assertions: { issuers: [assertionIssuer.issuer] },
    },
    servers: [
      {
        name: 'example',
        path: '/mcp',
        upstream: mcpServer.streamableHttpUrl,
        scopes: ['mcp:tools'],
        rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }],
      },
    ],
  }
}
