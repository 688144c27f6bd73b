import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { signInBrowser } from '../support/broker-browser.ts'
import {
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  type RawClient,
  readJson,
  register,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { createCertificate } from '../support/certificate.ts'
import { findVectors } from '../support/vectors.ts'

/** Numbers of an RSA key: 2048 bits, and an exponent with which one verification takes a thousand times as long. */
const MODULUS = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }).n ?? ''
const HUGE_EXPONENT = Buffer.alloc(255, 0xff).toString('base64url')
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

const [alice] = SAMPLE_USERS
const metadata = { redirect_uris: ['https://client.example/cb'] }

describe('registration', () => {
  it('keeps a bounded number in a flood, of which the newest stay, and those that are used (RFC 7591 §5)', async () => {
    const stage = await startBrokerStage({ broker: { registration: { most_clients: 30, per_minute: 10_000 } } })
    const { origin } = stage.proxy
    try {
      const known = await createRawClient(origin)
      await obtainTokens(origin, known, alice)
      const flood: string[] = []
      for (let round = 0; round < 30; round++) {
        const batch = Array.from({ length: 10 }, () => createRawClient(origin))
        flood.push(...(await Promise.all(batch)).map(({ id }) => id))
      }
      const begin = (id: string) => fetch(createRequest(origin, { ...known, id }).url, { redirect: 'manual' })
      const begun = await Promise.all(flood.map(async (id) => (await begin(id)).status))
      const kept = begun.flatMap((status, index) => (status === 303 ? [index] : []))
      expect(kept).toHaveLength(29)
      expect(Math.min(...kept)).toBeGreaterThanOrEqual(flood.length - 40)
      const tokens = await obtainTokens(origin, known, alice)
      expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    } finally {
      await stage.close()
    }
  }, 120_000)

  it('is refused for a while where every place is in use', async () => {
    const stage = await startBrokerStage({ broker: { registration: { most_clients: 2, per_minute: 10_000 } } })
    const { origin } = stage.proxy
    try {
      for (let place = 0; place < 2; place += 1) await obtainTokens(origin, await createRawClient(origin), alice)
      const refused = await register(origin, metadata)
      expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
      expect(stage.proxy.log.text()).toContain('registration_limited')
    } finally {
      await stage.close()
    }
  })

  it('counts what each address asks for, and says when to try again', async () => {
    const stage = await startBrokerStage({ broker: { registration: { per_minute: 3 } } })
    try {
      const answers = await Promise.all(Array.from({ length: 6 }, () => register(stage.proxy.origin, metadata)))
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 429, 429, 429])
      const refused = answers.find(({ status }) => status === 429)
      expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
      const spoofed = await fetch(`${stage.proxy.origin}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7' },
        body: JSON.stringify(metadata),
      })
      expect(spoofed.status).toBe(429)
    } finally {
      await stage.close()
    }
  })

  it('ends where no user signed in with it, and is refused where it is switched off', async () => {
    const stage = await startBrokerStage({ broker: { registration: { enabled: false } } })
    try {
      expect((await register(stage.proxy.origin, metadata)).status).toBe(404)
      const document = await (await fetch(`${stage.proxy.origin}/.well-known/oauth-authorization-server`)).json()
      expect(document).not.toHaveProperty('registration_endpoint')
    } finally {
      await stage.close()
    }
  })
})

describe('what a client says of itself', () => {
  let stage: BrokerStage
  beforeAll(async () => {
    stage = await startBrokerStage({ broker: { registration: { per_minute: 10_000 } } })
  })
  afterAll(() => stage?.close())

  it('does not choose its id, and gives a public client no secret (RFC 7591 §3.2.1)', async () => {
    const response = await register(stage.proxy.origin, {
      ...metadata,
      client_id: 'https://claude.ai/client',
      client_secret: 'mine',
    })
    const answer = await readJson(response)
    expect(response.status).toBe(201)
    expect(answer.client_id).not.toBe('https://claude.ai/client')
    expect(answer).not.toHaveProperty('client_secret')
    expect(answer).not.toHaveProperty('registration_client_uri')
    expect(answer).toMatchObject({ token_endpoint_auth_method: 'none', redirect_uris: metadata.redirect_uris })
    expect(answer.grant_types).toEqual(['authorization_code', 'refresh_token'])
  })

  it('comes back whole, kept out of caches, and with when its secret ends where it has one (RFC 7591 §3.2.1)', async () => {
    const said = { ...metadata, client_name: 'A client', token_endpoint_auth_method: 'client_secret_basic' }
    const response = await register(stage.proxy.origin, said)
    expect([response.status, response.headers.get('cache-control'), response.headers.get('pragma')]).toEqual([
      201,
      'no-store',
      null,
    ])
    const answer = await readJson(response)
    expect(answer).toMatchObject({ ...said, client_id: expect.any(String), client_secret: expect.any(String) })
    expect(answer.client_secret_expires_at).toBe(0)
    expect(answer.client_id_issued_at).toBeGreaterThan(0)
    const refused = await register(stage.proxy.origin, {})
    expect([refused.status, refused.headers.get('cache-control')]).toEqual([400, 'no-store'])
    const open = await readJson(await register(stage.proxy.origin, metadata))
    expect(open).not.toHaveProperty('client_secret_expires_at')
  })

  it.each([
    [{ keys: [P256] }],
    [{ keys: [{ kty: 'RSA', n: MODULUS, e: 'AQAB' }] }],
    [{ keys: [{ kty: 'RSA', n: MODULUS, e: 'Aw' }, ...Array.from({ length: 19 }, () => P256)] }],
  ])('may bring keys that cost no more than others: %#', async (jwks) => {
    const response = await register(stage.proxy.origin, { ...metadata, token_endpoint_auth_method: 'private_key_jwt', jwks })
    expect(response.status).toBe(201)
  })

  it.each([
    [{ client_name: 'x'.repeat(40_000) }],
    [{ client_name: 'x'.repeat(1_001) }],
    [{ policy_uri: 'javascript:alert(1)' }],
    [{ tos_uri: 'vbscript:x' }],
    [{ client_uri: 'x' }],
    [{ client_uri: `https://example.com/${'x'.repeat(11_000)}` }],
    [{ redirect_uris: Array.from({ length: 50 }, (_, index) => `https://example.com/${index}/${'x'.repeat(300)}`) }],
    [{ redirect_uris: ['https://client.example/cb'], jwks: { keys: [] }, jwks_uri: 'https://client.example/keys' }],
    [{ client_name: 42 }],
    [{ token_endpoint_auth_method: 'client_secret_jwt' }],
    [{ token_endpoint_auth_method: 'private_key_jwt' }],
    [{ jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }],
    [{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'RSA', n: MODULUS, e: HUGE_EXPONENT }] } }],
    [{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'RSA', n: MODULUS.repeat(3), e: 'AQAB' }] } }],
    [{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: Array.from({ length: 21 }, () => P256) } }],
    [{ jwks: { keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', d: 'x' }] } }],
    [{ client_uri: 'javascript:alert(1)' }],
    [{ logo_uri: 'data:image/svg+xml,x' }],
  ])('is refused when it cannot be: %# (RFC 7591 §3.2.2)', async (more) => {
    const response = await register(stage.proxy.origin, { ...metadata, ...more })
    expect(response.status).toBe(400)
    expect((await readJson(response)).error).toBe('invalid_client_metadata')
  })

  it.each(['client_note', 'jwks', 'logo_uri', 'grant_types', 'token_endpoint_auth_method'])(
    'is refused when what it says of %s is thousands of levels deep, without a failure of ours',
    async (member) => {
      const lists = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
      const objects = `${'{"a":'.repeat(7_000)}1${'}'.repeat(7_000)}`
      for (const deep of [objects, `{"keys":${lists}}`, `{"keys":[${objects}]}`]) {
        const body = `{"redirect_uris":["https://client.example/cb"],"${member}":${deep}}`
        const headers = { 'content-type': 'application/json' }
        const response = await fetch(`${stage.proxy.origin}/register`, { method: 'POST', headers, body })
        expect([response.status, (await readJson(response)).error]).toEqual([400, 'invalid_client_metadata'])
      }
      expect(stage.proxy.log.records().filter(({ code }) => code === 'internal_error')).toEqual([])
    },
  )

  it('is refused when it is a megabyte, unread, and what is refused shows up nowhere', async () => {
    for (const client_name of ['needle'.repeat(200_000), { needle: 'needle'.repeat(200_000) }]) {
      const response = await register(stage.proxy.origin, { ...metadata, client_name })
      const text = await response.text()
      expect([response.status, text.includes('needle')]).toEqual([
        expect.toSatisfy((status) => status === 400 || status === 413),
        false,
      ])
    }
    expect(stage.proxy.log.text()).not.toContain('needleneedle')
    expect((await register(stage.proxy.origin, metadata)).status).toBe(201)
  })

  it('has nothing to say about what is not asked for: it comes back with what counts here (RFC 7591 §3.2.1)', async () => {
    const more = {
      scope: 'mcp:admin',
      grant_types: ['client_credentials', 'authorization_code', 'password', 'implicit', 'refresh_token'],
      response_types: ['code', 'token', 'id_token'],
      redirect_uris: ['https://client.example/cb'],
      registration_access_token: 'mine',
      __proto__: { admin: true },
      software_statement: 'e30.eyJzY29wZSI6Im1jcDphZG1pbiJ9.',
      id_token_signed_response_alg: 'none',
      require_pushed_authorization_requests: true,
      dpop_bound_access_tokens: true,
      request_object_signing_alg: 'none',
      introspection_signed_response_alg: 'none',
      backchannel_logout_uri: 'http://localhost:1/',
    }
    const response = await register(stage.proxy.origin, more)
    const answer = await readJson(response)
    expect(response.status).toBe(201)
    expect(answer).toMatchObject({ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] })
    for (const name of [
      'scope',
      'software_statement',
      'registration_access_token',
      'backchannel_logout_uri',
      'dpop_bound_access_tokens',
    ])
      expect(answer).not.toHaveProperty(name)
    const client = { id: answer.client_id, redirectUri: 'https://client.example/cb', secret: undefined }
    const tokens = await obtainTokens(stage.proxy.origin, client, alice)
    expect([tokens.scope, tokens.token_type]).toEqual(['mcp:tools', 'Bearer'])
  })

  it('is refused when it is no JSON object', async () => {
    for (const body of ['[]', 'null', '"x"', '{', ''])
      expect(
        (await fetch(`${stage.proxy.origin}/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
          .status,
      ).toBe(400)
    expect(
      (await fetch(`${stage.proxy.origin}/register`, { method: 'POST', body: new URLSearchParams({ redirect_uris: 'x' }) }))
        .status,
    ).toBe(400)
  })

  it('can be asked for by any page, which needs no cookie for it (CORS)', async () => {
    const headers = {
      origin: 'https://inspector.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,mcp-protocol-version',
    }
    for (const path of ['/register', '/token', '/revoke']) {
      const response = await fetch(`${stage.proxy.origin}${path}`, { method: 'OPTIONS', headers })
      expect([path, response.status]).toEqual([path, 204])
      expect(['*', 'https://inspector.example']).toContain(response.headers.get('access-control-allow-origin'))
      expect(response.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version')
      expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    }
  })
})

describe('a client ID metadata document', () => {
  const certificate = createCertificate()
  let server: Server
  let port: number
  let answer: RequestListener
  let asked: string[]
  let stage: BrokerStage

  beforeAll(async () => {
    server = createServer(certificate, (request, response) => {
      asked.push(request.url ?? '')
      answer(request, response)
    })
    port = await listenOnLoopback(server as never, 0)
    stage = await startBrokerStage({ ca: certificate.cert, broker: { registration: { per_minute: 10_000 } } })
  })
  afterAll(async () => {
    await stage?.close()
    await closeServer(server as never)
  })

  let count = 0
  /** A new address each time, since failures are remembered for a while. */
  const nextId = () => `https://localhost:${port}/client-${++count}.json`
  const describeClient = (id: string, more: object = {}) => ({
    client_id: id,
    client_name: 'Published',
    redirect_uris: ['https://client.example/cb'],
    ...more,
  })
  const serve = (document: unknown, headers: Record<string, string> = {}, status = 200) => {
    asked = []
    answer = (_request, response) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(typeof document === 'string' ? document : JSON.stringify(document))
  }
  const open = (id: string, origin = stage.proxy.origin) => {
    const client: RawClient = { id, redirectUri: 'https://client.example/cb', secret: undefined }
    return fetch(createRequest(origin, client).url, { redirect: 'manual', headers: { accept: 'application/json' } })
  }
  const expectRefusal = async (response: Response) => {
    expect(response.headers.get('location')).toBeNull()
    expect([400, 401]).toContain(response.status)
    expect((await readJson(response)).error).toMatch(/^invalid_(client|client_metadata|redirect_uri)$/)
  }

  it('makes a client known, by the host that publishes it', async () => {
    const id = nextId()
    serve(
      describeClient(id, { grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:jwt-bearer'] }),
    )
    const client: RawClient = { id, redirectUri: 'https://client.example/cb', secret: undefined }
    const { html } = await openConsentPage(createBrowser(), createRequest(stage.proxy.origin, client).url)
    expect(html).toContain('Allow Published to act on your behalf?')
    expect(html).toContain(`published by <strong>localhost:${port}</strong>`)
  })

  it('may list the ways of authentication that the client knows, of which one is chosen (ChatGPT)', async () => {
    const id = nextId()
    serve(describeClient(id, { token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'] }))
    expect((await open(id)).status).toBe(303)
  })

  it('is all that is fetched: no logo, no sector identifier, no software statement, neither of it nor of a registration', async () => {
    const id = nextId()
    const url = `https://localhost:${port}/never`
    const more = {
      sector_identifier_uri: url,
      subject_type: 'pairwise',
      logo_uri: url,
      client_uri: url,
      tos_uri: url,
      policy_uri: url,
      software_statement: 'e30.e30.',
      initiate_login_uri: url,
      request_uris: [url],
      backchannel_logout_uri: url,
    }
    serve(describeClient(id, more))
    const published: RawClient = { id, redirectUri: 'https://client.example/cb', secret: undefined }
    const registered = await createRawClient(stage.proxy.origin, more)
    for (const client of [published, registered]) {
      await openConsentPage(createBrowser(), createRequest(stage.proxy.origin, client).url)
      await obtainTokens(stage.proxy.origin, client, alice)
    }
    expect(asked).toEqual([new URL(id).pathname])
  })

  it('settles where answers go: nowhere else, and nowhere that it no longer names (client ID metadata documents -02 §8.1, RFC 9700 §2.1)', async () => {
    const id = nextId()
    const other = 'https://client.example/other'
    serve(describeClient(id, { redirect_uris: ['https://client.example/cb', other] }))
    const client: RawClient = { id, redirectUri: 'https://client.example/cb', secret: undefined }
    const { origin } = stage.proxy
    const browser = await signInBrowser(createRequest(origin, client).url, alice)
    const elsewhere = await browser.open(createRequest(origin, client, { redirect_uri: 'https://evil.example/cb' }).url)
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([400, null])
    // Allowed there, not here: what is remembered is for one redirect URI.
    expect((await browser.open(createRequest(origin, client, { redirect_uri: other }).url)).headers.get('location')).toContain(
      '/sign-in/',
    )
    serve(describeClient(id, { redirect_uris: [other] }))
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() + 61_000 })
    try {
      const gone = await browser.open(createRequest(origin, client).url)
      expect([asked.length, gone.status, gone.headers.get('location')]).toEqual([1, 400, null])
    } finally {
      vi.useRealTimers()
    }
  })

  it('is asked for again after a day, whatever its headers say, and not more often than once a minute (client ID metadata documents -02 §5.2)', async () => {
    const [long, short] = [nextId(), nextId()]
    const answers: Record<string, string> = { [long]: 'max-age=31536000', [short]: 'no-store, max-age=0' }
    asked = []
    answer = (request, response) => {
      const id = `https://localhost:${port}${request.url}`
      response
        .writeHead(200, { 'content-type': 'application/json', 'cache-control': answers[id] ?? '' })
        .end(JSON.stringify(describeClient(id)))
    }
    const openBoth = async () => {
      for (const id of [long, short]) expect((await open(id)).status).toBe(303)
      return asked.length
    }
    try {
      expect([await openBoth(), await openBoth()]).toEqual([2, 2])
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
      expect(await openBoth()).toBe(3)
      vi.setSystemTime(Date.now() + 86_400_000)
      expect(await openBoth()).toBe(5)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is given up when it comes a byte at a time, and others are served meanwhile (client ID metadata documents -02 §8.6)', async () => {
    const [slow, good] = [nextId(), nextId()]
    const timers: NodeJS.Timeout[] = []
    asked = []
    answer = (request, response) => {
      const id = `https://localhost:${port}${request.url}`
      response.writeHead(200, { 'content-type': 'application/json' })
      if (id === good) return response.end(JSON.stringify(describeClient(id)))
      return timers.push(setInterval(() => response.write(' '), 50))
    }
    const waiting = open(slow)
    await expect.poll(() => asked.length).toBe(1)
    expect((await open(good)).status).toBe(303)
    expect((await waiting).status).toBe(503)
    for (const timer of timers) clearInterval(timer)
  })

  it('shows the host that publishes it as browsers write it: look-alike letters are seen', async () => {
    const id = nextId()
    serve(describeClient(id, { client_name: 'Claude', redirect_uris: ['https://xn--clude-8qf.example/cb'] }))
    const client: RawClient = { id, redirectUri: 'https://xn--clude-8qf.example/cb', secret: undefined }
    const { html } = await openConsentPage(createBrowser(), createRequest(stage.proxy.origin, client).url)
    expect(html).toContain('redirected to <strong>xn--clude-8qf.example</strong>')
    expect(html).toContain(`published by <strong>localhost:${port}</strong>`)
  })

  it.each([
    ['is of another client', (id: string) => describeClient(`${id}x`)],
    ['differs by case', (id: string) => describeClient(id.toUpperCase())],
    ['differs by a final slash', (id: string) => describeClient(`${id}/`)],
    ['names its port in another way', (id: string) => describeClient(id.replace(/:(\d+)\//, ':0$1/'))],
    ['names nobody', (id: string) => ({ ...describeClient(id), client_id: undefined })],
    ['names a list', (id: string) => ({ ...describeClient(id), client_id: [id] })],
    ['has scripts for addresses', (id: string) => describeClient(id, { client_uri: 'javascript:alert(1)' })],
    ['has a secret of no length', (id: string) => describeClient(id, { client_secret: '' })],
    ['signs with a shared secret', (id: string) => describeClient(id, { token_endpoint_auth_method: 'client_secret_jwt' })],
    [
      'has nowhere usable to go',
      (id: string) => describeClient(id, { redirect_uris: ['javascript:alert(1)', 'http://client.example/cb'] }),
    ],
    ['has a name that is none', (id: string) => describeClient(id, { client_name: ['x'] })],
    ['has no redirect URIs', (id: string) => ({ client_id: id })],
    ['has a secret', (id: string) => describeClient(id, { client_secret: 'x' })],
    ['wants to show a secret', (id: string) => describeClient(id, { token_endpoint_auth_method: 'client_secret_basic' })],
    [
      'holds a private key',
      (id: string) => describeClient(id, { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }),
    ],
    ['holds a symmetric key', (id: string) => describeClient(id, { jwks: { keys: [{ kty: 'oct', k: 'x' }] } })],
    ['is a list', () => [describeClient('x')]],
    ['is no JSON', () => '{'],
    ['says one thing twice', (id: string) => `{"client_id":"x",${JSON.stringify(describeClient(id)).slice(1)}`],
    ['is too long', (id: string) => describeClient(id, { client_uri: `https://x.example/${'x'.repeat(11_000)}` })],
  ])('is refused when it %s (client ID metadata documents -02 §4, §8.7)', async (_name, create) => {
    const id = nextId()
    serve(create(id))
    await expectRefusal(await open(id))
  })

  it('is refused when it comes by redirect, compressed, as HTML or with a failure, which looks the same from outside as a host that is down (client ID metadata documents -02 §5, §5.1)', async () => {
    const answers: [number, Record<string, string>][] = [
      [302, { location: `https://localhost:${port}/other.json` }],
      [200, { 'content-encoding': 'gzip' }],
      [200, { 'content-type': 'text/html' }],
      [500, {}],
      [404, {}],
    ]
    const told = new Set<string>()
    for (const [status, headers] of answers) {
      const id = nextId()
      serve(describeClient(id), headers, status)
      const response = await open(id)
      told.add(`${response.status} ${await response.text()}`)
      expect(asked).toHaveLength(1)
    }
    const unreachable = await open('https://localhost:1/x.json')
    told.add(`${unreachable.status} ${await unreachable.text()}`)
    expect([...told]).toEqual([expect.stringMatching(/^503 .*temporarily_unavailable/)])
  })

  it('is kept for as long as its headers say, and a failure for no longer than the request that met it (client ID metadata documents -02 §5.2)', async () => {
    const good = nextId()
    serve(describeClient(good), { 'cache-control': 'max-age=600' })
    await open(good)
    await open(good)
    expect(asked).toHaveLength(1)
    const bad = nextId()
    serve('nonsense')
    await open(bad)
    await open(bad)
    expect(asked).toHaveLength(2)
  })

  it.each([
    ['by http', 'http://localhost:PORT/c.json'],
    ['without a path', 'https://localhost:PORT'],
    ['with the path / alone', 'https://localhost:PORT/'],
    ['with a fragment', 'https://localhost:PORT/c.json#x'],
    ['with user information', 'https://u@localhost:PORT/c.json'],
    ['with dot segments', 'https://localhost:PORT/a/../c.json'],
    ['with escaped dot segments', 'https://localhost:PORT/a/%2e%2e/c.json'],
    ['in upper case', 'https://LOCALHOST:PORT/c.json'],
    ['with a name in another alphabet', 'https://lоcalhost:PORT/c.json'],
    ['with port 0', 'https://localhost:0/c.json'],
    ['with a backslash', 'https://localhost:PORT\\c.json'],
  ])('is not looked up for %s (client ID metadata documents -02 §3)', async (_name, id) => {
    serve({})
    await expectRefusal(await open(id.replace('PORT', String(port))))
    expect(asked).toEqual([])
  })

  it('is not looked for in private networks, on this machine or where clouds keep their secrets (client ID metadata documents -02 §8.6)', async () => {
    const guarded = await startBrokerStage()
    try {
      serve({})
      const names = [
        '127.0.0.1',
        'localhost',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '10.0.0.1',
        '192.168.1.1',
        '169.254.169.254',
        '100.64.0.1',
        '0.0.0.0',
        '[fe80::1]',
        '[64:ff9b::7f00:1]',
        '[2002:7f00:1::]',
        '2130706433',
        '0x7f.1',
        '224.0.0.1',
      ]
      for (const name of names) await expectRefusal(await open(`https://${name}:${port}/c.json`, guarded.proxy.origin))
      const vectors = findVectors('cloud-metadata.txt')
      const urls =
        vectors === undefined
          ? []
          : readFileSync(vectors, 'utf8')
              .split('\n')
              .filter((line) => /^https?:\/\/[\d[]/.test(line))
      for (const url of urls) await expectRefusal(await open(url.replace(/^http:/, 'https:'), guarded.proxy.origin))
      expect(asked).toEqual([])
    } finally {
      await guarded.close()
    }
  })

  it('is fetched for a bounded number of clients of one network at a time (client ID metadata documents -02 §8.6)', async () => {
    asked = []
    const waiting: (() => void)[] = []
    answer = (_request, response) => waiting.push(() => response.writeHead(404).end())
    const requests = Array.from({ length: 100 }, () => open(nextId()))
    await expect.poll(() => asked.length).toBe(2)
    const first = await Promise.race(requests)
    expect(first.status).toBe(503)
    expect(asked.length).toBe(2)
    answer = (_request, response) => response.writeHead(404).end()
    for (const release of waiting) release()
    for (const response of await Promise.all(requests)) await response.body?.cancel()
  })
})
