// What clients publish (metadata documents, key sets) is fetched because strangers say so: none of them may stop it for the others.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startBroker } from '../../src/broker/broker.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createRequest, postForm, readJson, register } from '../support/broker-client.ts'
import { createCertificate } from '../support/certificate.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'

const REDIRECT_URI = 'https://client.example/cb'
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const certificate = createCertificate()

interface Place {
  readonly origin: string
  /** Paths that were asked for. */
  readonly asked: string[]
  answer: (path: string, response: ServerResponse) => void
}

/** A host of the internet, on a port of this machine. */
async function openPlace(answer?: Place['answer']): Promise<Place> {
  const asked: string[] = []
  const server = createTlsServer(certificate, ({ url = '' }, response) => {
    asked.push(url)
    place.answer(url, response)
  })
  const origin = `https://localhost:${await listenOnLoopback(server as never, 0)}`
  const serve = (path: string, response: ServerResponse) => sendJson(response, describeClient(`${origin}${path}`))
  const place: Place = { origin, asked, answer: answer ?? serve }
  closing.push(
    () => server.closeAllConnections(),
    () => closeServer(server as never),
  )
  return place
}

function sendJson(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}

const describeClient = (id: string) => ({ client_id: id, client_name: 'Client', redirect_uris: [REDIRECT_URI] })

/** Takes requests and never answers. */
const openTarpit = () => openPlace(() => {})

interface Endpoints {
  readonly origin: string
  readonly said: string[]
  readonly clock: FakeClock
  /** An authorization request of a client at that address. */
  open(clientId: string, address?: string, accept?: string): Promise<Response>
}

async function serveBroker(clients: readonly object[] = []): Promise<Endpoints> {
  const origin = 'http://localhost'
  const directory = mkdtempSync(join(tmpdir(), 'documents-'))
  closing.push(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'ca.pem'), certificate.cert)
  const config = {
    public_url: origin,
    identity_provider: { issuer: 'https://login.example.com', client_id: 'x', client_secret: { env: 'SECRET' } },
    broker: {
      store: { kind: 'memory' },
      client_metadata: { allow_private_network: true, ca_file: 'ca.pem' },
      authorizations_per_minute: 10_000,
      clients,
    },
    servers: [{ name: 'example', path: '/mcp', upstream: 'http://localhost:1/mcp', scopes: ['mcp:tools'] }],
  } as unknown as ConfigInput
  const where = { env: { SECRET: 'secret-at-the-provider-0123456789' }, directory, terminal: false }
  const plan = loadConfigValue(config, where).plan.broker
  if (plan === undefined) throw new Error('there is no broker in the plan')
  const said: string[] = []
  const clock = createFakeClock()
  const broker = await startBroker({
    plan: { ...plan, encryptionKeys: [randomBytes(32)] },
    resources: [{ identifier: `${origin}/mcp`, name: 'example', scopes: new Set(['mcp:tools']), defaultScopes: ['mcp:tools'] }],
    endpointPaths: ['/mcp'],
    store: createMemoryStore(),
    onIssue: (message) => said.push(message),
    onEvent: () => {},
    clock,
  })
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    const incoming = {
      request,
      response,
      path,
      requestId: 'x',
      address: String(request.headers['x-address'] ?? '192.0.2.1'),
      note: (...told: unknown[]) => said.push(String(told)),
      noteParties: () => undefined,
    }
    Promise.resolve(broker.handlers.get(path)?.(incoming)).catch(() => response.destroy())
  })
  const at = `http://localhost:${await listenOnLoopback(server, 0)}`
  closing.push(
    () => broker.close(),
    () => server.closeAllConnections(),
    () => closeServer(server),
  )
  return {
    origin: at,
    said,
    clock,
    open(id, address = '192.0.2.1', accept = 'application/json') {
      const { url } = createRequest(at, { id, redirectUri: REDIRECT_URI, secret: undefined }, { resource: `${origin}/mcp` })
      return fetch(url, { redirect: 'manual', headers: { accept, 'x-address': address } })
    },
  }
}

/** The request was accepted: the browser goes on to the sign-in. */
const ACCEPTED = 303

describe('a host that never answers', () => {
  it.each<[string, (index: number) => string]>([
    ['one network', () => '192.0.2.66'],
    ['many networks', (index) => `198.51.100.${index + 1}`],
  ])('and is named in 80 requests from %s keeps no other client waiting', async (_, addressOf) => {
    const [tarpit, honest, { open }] = [await openTarpit(), await openPlace(), await serveBroker()]
    const stuck = Array.from({ length: 80 }, (_, index) => open(`${tarpit.origin}/${index}.json`, addressOf(index)))
    await vi.waitFor(() => expect(tarpit.asked.length).toBeGreaterThan(0))
    await Promise.any(stuck)
    expect((await open(`${honest.origin}/client.json`, addressOf(0))).status).toBe(ACCEPTED)
    expect((await open(`${honest.origin}/other.json`, '203.0.113.5')).status).toBe(ACCEPTED)
    expect(tarpit.asked.length).toBeLessThanOrEqual(8)
    for (const response of await Promise.all(stuck)) expect(response.status).toBe(503)
  })
})

describe('a document that cannot be fetched', () => {
  it.each<[string, Place['answer']]>([
    ['500', (_, response) => response.writeHead(500).end()],
    ['429', (_, response) => response.writeHead(429).end()],
    ['503', (_, response) => response.writeHead(503).end()],
    ['404', (_, response) => response.writeHead(404).end()],
    ['HTML', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Maintenance')],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['half of it', (_, response) => void response.writeHead(200, { 'content-length': 99 }).write('{', () => response.destroy())],
    ['nothing', (_, response) => response.destroy()],
  ])('since its host answers %s is 503 for that request, and for no later one', async (_, answer) => {
    const [place, { open, said }] = [await openPlace(), await serveBroker()]
    const { answer: serve } = place
    place.answer = answer
    const refused = await open(`${place.origin}/client.json`)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await readJson(refused)).toEqual({ error: 'temporarily_unavailable', error_description: expect.any(String) })
    expect(said.join()).toContain('client_unavailable')
    expect(place.asked).toHaveLength(1)
    place.answer = serve
    expect((await open(`${place.origin}/client.json`)).status).toBe(ACCEPTED)
  })

  it('is told to a person on a page that says so', async () => {
    const [place, { open }] = [await openPlace((_, response) => response.writeHead(502).end()), await serveBroker()]
    const response = await open(`${place.origin}/client.json`, '192.0.2.1', 'text/html')
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('cannot be verified right now')
  })

  it('since nothing listens there is 503', async () => {
    const { open } = await serveBroker()
    expect((await open('https://localhost:1/client.json')).status).toBe(503)
  })
})

describe('one host', () => {
  it('is asked once for one document, however many want it at the same time', async () => {
    const [place, { open }] = [await openPlace(), await serveBroker()]
    const waiting: (() => void)[] = []
    const { answer: serve } = place
    place.answer = (path, response) => void waiting.push(() => serve(path, response))
    const requests = Array.from({ length: 20 }, (_, index) => open(`${place.origin}/client.json`, `192.0.2.${index}`))
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    for (const answer of waiting) answer()
    for (const response of await Promise.all(requests)) expect(response.status).toBe(ACCEPTED)
    expect(place.asked).toHaveLength(1)
  })

  it('is asked for few new documents a minute by one network, and others still have theirs', async () => {
    const [place, { open, clock }] = [await openPlace(), await serveBroker()]
    const ask = async (index: number, address: string) => (await open(`${place.origin}/${index}.json`, address)).status
    const statuses: number[] = []
    for (let index = 0; index < 70; index++) statuses.push(await ask(index, '192.0.2.66'))
    expect(statuses.filter((status) => status === ACCEPTED)).toHaveLength(60)
    expect(statuses.slice(60)).toEqual(Array.from({ length: 10 }, () => 503))
    expect(await ask(70, '192.0.2.7')).toBe(ACCEPTED)
    clock.advance(60_000)
    expect(await ask(71, '192.0.2.66')).toBe(ACCEPTED)
  })

  it('is asked no more than 300 times a minute by all together, but again for what was there', async () => {
    const [place, { open, clock }] = [await openPlace(), await serveBroker()]
    const ask = async (index: number) =>
      (await open(`${place.origin}/${index}.json`, `192.0.${index >> 7}.${index & 127}`)).status
    for (let index = 0; index < 300; index++) expect(await ask(index)).toBe(ACCEPTED)
    expect(await ask(300)).toBe(503)
    // The provider remembers two hundred clients at most: this one is asked for again.
    expect(await ask(0)).toBe(ACCEPTED)
    expect(place.asked).toHaveLength(301)
    clock.advance(60_000)
    expect(await ask(301)).toBe(ACCEPTED)
  })
})

describe('the keys of a client that registered itself', () => {
  it('are not used when a stranger could have us calculate for long with them', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const good = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }
    const costly = {
      kty: 'RSA',
      kid: 'r',
      n: Buffer.alloc(256, 0xb5).toString('base64url'),
      e: Buffer.alloc(255, 0xff).toString('base64url'),
    }
    let keys: object[] = [good, costly]
    const place = await openPlace((_, response) => sendJson(response, { keys }))
    const { origin } = await serveBroker()
    const registered = await register(origin, {
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: `${place.origin}/keys.json`,
    })
    const { client_id: id } = await readJson(registered)
    const ask = async () => {
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: id, sub: id, aud: 'http://localhost', jti: crypto.randomUUID(), iat: now, exp: now + 60 }
      const answer = await postForm(`${origin}/token`, {
        grant_type: 'refresh_token',
        refresh_token: 'x',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey),
      })
      return (await readJson(answer)).error
    }
    expect(await ask()).toBe('invalid_client')
    keys = [good]
    // The client is known now: it is the refresh token that is not.
    expect(await ask()).toBe('invalid_grant')
  })
})

describe('the keys of a configured client', () => {
  const start = async (answer?: Place['answer']) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }
    const place = await openPlace(answer ?? ((_, response) => sendJson(response, { keys: [jwk] })))
    const client = {
      client_id: 'machine',
      name: 'Machine',
      jwks_uri: `${place.origin}/keys.json`,
      grants: ['client_credentials'],
    }
    const endpoints = await serveBroker([client])
    const ask = async () => {
      const now = Math.floor(Date.now() / 1000)
      const claims = {
        iss: 'machine',
        sub: 'machine',
        aud: 'http://localhost',
        jti: crypto.randomUUID(),
        iat: now,
        exp: now + 60,
      }
      return postForm(`${endpoints.origin}/token`, {
        grant_type: 'client_credentials',
        resource: 'http://localhost/mcp',
        scope: 'mcp:tools',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey),
      })
    }
    return { ...endpoints, place, ask }
  }

  it('are fetched whatever strangers name', async () => {
    const [tarpit, { ask, open }] = [await openTarpit(), await start()]
    const stuck = Array.from({ length: 80 }, (_, index) => open(`${tarpit.origin}/${index}.json`, `198.51.100.${index}`))
    await vi.waitFor(() => expect(tarpit.asked.length).toBeGreaterThan(0))
    expect((await ask()).status).toBe(200)
    await Promise.all(stuck)
  })

  it.each<[string, Place['answer']]>([
    ['fails', (_, response) => response.writeHead(500).end()],
    ['has none', (_, response) => response.writeHead(404).end()],
    ['is gone', (_, response) => response.destroy()],
  ])('that cannot be fetched, since their host %s, are 503 and not the fault of the client', async (_, answer) => {
    const { ask } = await start(answer)
    const response = await ask()
    expect([response.status, (await readJson(response)).error]).toEqual([503, 'temporarily_unavailable'])
  })
})
