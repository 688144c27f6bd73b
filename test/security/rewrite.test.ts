import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { sendRaw } from '../support/raw-client.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Answer = (response: ServerResponse) => void
const JSON_ANSWER: Answer = (response) => {
  response.writeHead(200, {
    'content-type': 'application/json',
    'set-cookie': 'session=of-the-identity-provider',
    'access-control-allow-origin': 'https://idp.example.com',
    'x-internal': 'a secret place',
    server: 'idp/1.0',
  })
  response.end('{"access_token":"x"}')
}

let identityProvider: Server
let proxy: TestProxy
let seen: Seen[] = []
let answer = JSON_ANSWER

beforeAll(async () => {
  identityProvider = createServer(async (request, response) => {
    // The proxy asks for the keys whenever it likes.
    if (request.method === 'GET' && request.url === '/jwks') return JSON_ANSWER(response)
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: await text(request) })
    answer(response)
  })
  const issuer = `http://127.0.0.1:${await listenOnLoopback(identityProvider, 0)}`
  proxy = await startTestProxy({
    issuers: [{ issuer, jwks_uri: `${issuer}/jwks` }],
    rewrite: {
      issuer,
      authorization_endpoint: `${issuer}/real/authorize?audience=api`,
      token_endpoint: `${issuer}/real/token`,
      registration_endpoint: `${issuer}/real/register`,
      authorization_parameters: { prompt: 'login', orgId: 'ours' },
      token_parameters: { audience: 'api' },
      registration_parameters: { owner: 'us', orgStatus: 'ours' },
    },
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
  })
})
afterAll(async () => {
  await proxy?.close()
  if (identityProvider) await closeServer(identityProvider)
})

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const JSON_BODY = { 'content-type': 'application/json' }

async function send(path: string, init: RequestInit = {}, respond: Answer = JSON_ANSWER) {
  seen = []
  answer = respond
  const response = await fetch(`${proxy.origin}${path}`, { redirect: 'manual', ...init })
  return { response, body: await response.text(), seen }
}

const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = FORM, respond?: Answer) =>
  send(path, { method: 'POST', body, headers }, respond)

describe('no other place of the identity provider can be reached', () => {
  it.each([
    '/token/',
    '/token/admin',
    '/token%2f..%2fadmin',
    '/token/../admin',
    '/TOKEN',
    '//token',
    '/register/client-id',
    '/authorize/device',
    '/real/token',
    '/admin',
    '/jwks',
    '/userinfo',
    '/u/login',
    '/.well-known/openid-configuration',
  ])('by the path %s', async (path) => {
    seen = []
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b`
    const { status } = await sendRaw(proxy.port, head)
    expect([400, 404]).toContain(status)
    expect(seen).toEqual([])
  })

  it('by a whole URL in the request line, by Host, or by headers about forwarding', async () => {
    const { seen: requests } = await post('/token?url=http://169.254.169.254/&host=evil.example', 'grant_type=refresh_token', {
      ...FORM,
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example',
      'x-original-url': '/admin',
      'x-rewrite-url': '/admin',
      'x-http-method-override': 'DELETE',
    })
    expect(requests).toMatchObject([{ method: 'POST', url: '/real/token', body: 'grant_type=refresh_token&audience=api' }])
    const [{ headers }] = requests as [Seen]
    expect(Object.keys(headers).filter((name) => /^x-|forward/.test(name))).toEqual([])
  })
})

describe('what is passed on of a request', () => {
  it('is its body and the credentials of the client: no cookies, no origin, no address', async () => {
    const { seen: requests } = await post('/token', 'grant_type=authorization_code&code=c&resource=a&resource=b', {
      ...FORM,
      authorization: 'Basic Y2xpZW50OnNlY3JldA==',
      cookie: 'session=of-somebody',
      origin: 'http://localhost:5173',
      referer: 'http://localhost:5173/secret',
      dpop: 'x',
      'accept-language': 'de',
    })
    const [{ headers, body }] = requests as [Seen]
    expect(body).toBe('grant_type=authorization_code&code=c&resource=a&resource=b&audience=api')
    expect(headers.authorization).toBe('Basic Y2xpZW50OnNlY3JldA==')
    const usual = [
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]
    expect(Object.keys(headers).filter((name) => !usual.includes(name))).toEqual([])
  })

  it('cannot override what the configuration adds', async () => {
    const form = await post('/token', 'audience=evil&grant_type=x&audience=evil2')
    expect(new URLSearchParams(form.seen[0]?.body).getAll('audience')).toEqual(['api'])
    const json = await post('/register', '{"owner":"them","redirect_uris":["https://a.example/cb"]}', JSON_BODY)
    expect(JSON.parse(json.seen[0]?.body ?? '')).toEqual({
      owner: 'us',
      orgStatus: 'ours',
      redirect_uris: ['https://a.example/cb'],
    })
  })

  it.each([
    ['a parameter twice', '/token', 'code=a&code=b', FORM],
    ['a key twice', '/register', '{"client_name":"a","client_name":"b"}', JSON_BODY],
    ['a parameter that may be there twice, in two spellings', '/token', 'Resource=a&resource=b', FORM],
    ['a parameter with a bracket behind it', '/token', 'grant_type=refresh_token&grant_type]=client_credentials', FORM],
    ['a parameter with a space before it', '/token', 'grant_type=refresh_token&+grant_type=client_credentials', FORM],
    ['a key that lenient decoders take for one of ours', '/register', '{"owner":"them","Owner":"them"}', JSON_BODY],
    ['a key in other letters than one of ours', '/register', '{"orgstatus":"theirs"}', JSON_BODY],
    ['a key with a letter that folds to one of ours', '/register', '{"orgStatu\u017f":"theirs"}', JSON_BODY],
    ['no object', '/register', '["x"]', JSON_BODY],
    ['bytes behind the JSON', '/register', '{}{}', JSON_BODY],
    ['depth', '/register', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, JSON_BODY],
  ])('is nothing, where the body can be read in two ways: %s', async (_, path, body, headers) => {
    const { response, seen: requests } = await post(path, body, headers)
    expect(response.status).toBe(400)
    expect(requests).toEqual([])
  })

  it('is nothing, where the body is not UTF-8', async () => {
    const { response, seen: requests } = await post('/token', new Uint8Array([0x61, 0x3d, 0xc3, 0x28]))
    expect(response.status).toBe(400)
    expect(requests).toEqual([])
  })

  it.each([
    ['/token', '{}', JSON_BODY],
    ['/token', 'a=b', { 'content-type': 'text/plain' }],
    ['/token', 'a=b', { ...FORM, 'content-encoding': 'gzip' }],
    ['/register', 'a=b', FORM],
  ])('is nothing, where the body is of another type: %s %s %j', async (path, body, headers) => {
    const { response, seen: requests } = await post(path, body, headers as Record<string, string>)
    expect(response.status).toBe(415)
    expect(requests).toEqual([])
  })

  it('is nothing of a form with more than a thousand parameters, which would take long to read', async () => {
    const form = Array.from({ length: 999 }, (_, index) => `p${index}=`).join('&')
    expect((await post('/token', `${form}&grant_type=x`)).response.status).toBe(200)
    const { response, seen: requests } = await post('/token', `${form}&grant_type=x&further=`)
    expect(response.status).toBe(400)
    expect(requests).toEqual([])
  })

  it('is nothing beyond 64 KiB, announced or not', async () => {
    const { response, seen: requests } = await post('/register', JSON.stringify({ client_name: 'x'.repeat(65_536) }), JSON_BODY)
    expect(response.status).toBe(413)
    expect(requests).toEqual([])
  })

  it('is nothing, where there are two Authorization headers', async () => {
    seen = []
    const head = `POST /token HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Basic YTpi\r\nAuthorization: Basic Yzpk\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b`
    expect((await sendRaw(proxy.port, head)).status).toBe(400)
    expect(seen).toEqual([])
  })

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('is nothing of %s', async (method) => {
    const { response, seen: requests } = await send('/token', { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
    expect(requests).toEqual([])
  })
})

describe('what comes back of an answer', () => {
  it('is status, body and type: no cookies and no headers of the identity provider, and it is not cached', async () => {
    const { response, body } = await post('/token', 'grant_type=x')
    expect(body).toBe('{"access_token":"x"}')
    expect(response.headers.getSetCookie()).toEqual([])
    expect(response.headers.get('x-internal')).toBeNull()
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('is an error of the protocol, with its challenge', async () => {
    const { response, body } = await post('/token', 'grant_type=x', FORM, (to) =>
      to
        .writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="x"' })
        .end('{"error":"invalid_client"}'),
    )
    expect([response.status, body]).toEqual([401, '{"error":"invalid_client"}'])
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="x"')
  })

  it.each<[string, Answer]>([
    ['a page', (to) => to.writeHead(200, { 'content-type': 'text/html' }).end('<script>alert(1)</script>')],
    ['a redirect', (to) => to.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
    ['more than half a MiB', (to) => to.writeHead(200, { 'content-type': 'application/json' }).end(`"${'x'.repeat(600_000)}"`)],
    [
      'half of an answer',
      (to) => to.writeHead(200, { 'content-type': 'application/json', 'content-length': '9' }).write('{', () => to.destroy()),
    ],
    ['compressed bytes', (to) => to.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('x')],
  ])('is nothing of %s', async (_, respond) => {
    const { response, body } = await post('/token', 'grant_type=x', FORM, respond)
    expect([response.status, JSON.parse(body).error]).toEqual([503, 'temporarily_unavailable'])
  })
})

describe('a browser that asks to be authorized', () => {
  it('is sent to the identity provider with all of its parameters, and those of the configuration in their place', async () => {
    const { response, seen: requests } = await send(
      '/authorize?client_id=c&state=a%26b%23c&audience=evil&prompt=none&orgId=theirs&scope=a+b',
    )
    expect(response.status).toBe(302)
    const target = new URL(response.headers.get('location') ?? '')
    expect(target.pathname).toBe('/real/authorize')
    expect(Object.fromEntries(target.searchParams)).toEqual({
      client_id: 'c',
      state: 'a&b#c',
      audience: 'api',
      prompt: 'login',
      orgId: 'ours',
      scope: 'a b',
    })
    expect(target.searchParams.getAll('audience')).toEqual(['api'])
    expect(requests).toEqual([])
  })

  it.each(['?//evil.example', '?@evil.example', '?%0d%0aLocation:%20https://evil.example', '?x=%0d%0aSet-Cookie:%20a=b', ''])(
    'is sent nowhere else, and gets no header that it wrote itself: %s',
    async (query) => {
      const { response } = await send(`/authorize${query}`)
      expect(response.headers.get('location')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/real\/authorize\?[!-~]*$/)
      expect(response.headers.getSetCookie()).toEqual([])
    },
  )

  it('is refused where a parameter is there twice', async () => {
    expect((await send('/authorize?redirect_uri=https://a.example&redirect_uri=https://b.example')).response.status).toBe(400)
  })

  it.each([
    'Redirect_URI',
    'redirect.uri',
    'redirect uri',
    'redirect[uri',
    ' redirect_uri',
    '   redirect_uri',
    '\tredirect_uri',
    'prompt\0',
    'Prompt',
    ' prompt',
    'audiencE',
    'orgid',
    'ORGID',
    'redirect_uri]',
    '[redirect_uri]',
    ']redirect_uri',
    'redirect_uri[]',
    'redirect_uri[x]',
    'redirect-uri',
    'prompt]',
    '[prompt',
    'prompt[]',
  ])('is refused where a parameter has a name that a lenient server takes for that of another: %j', async (name) => {
    const query = new URLSearchParams({ redirect_uri: 'http://127.0.0.1:1/cb', [name]: 'x' })
    expect((await send(`/authorize?${query}`)).response.status).toBe(400)
  })

  it('keeps parameters that look like no other, however they are spelled', async () => {
    const { response } = await send('/authorize?domain.Hint=a&x[]=b')
    expect(new URL(response.headers.get('location') ?? '').searchParams.get('domain.Hint')).toBe('a')
  })

  it('is refused where it posts', async () => {
    const { response } = await post('/authorize', 'client_id=c')
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('is answered where no script of another page can read it (RFC 9700 §2.6)', async () => {
    const headers = { origin: 'https://a.example' }
    const answers = [
      await send('/authorize?client_id=c', { headers }),
      await send('/authorize?client_id=c&client_id=d', { headers }),
      await send('/authorize', { method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'GET' } }),
      await post('/authorize', 'client_id=c', { ...FORM, ...headers }),
    ]
    expect(answers.map(({ response }) => response.status)).toEqual([302, 400, 405, 405])
    for (const { response } of answers)
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
  })
})

describe('a page elsewhere', () => {
  it('may ask for tokens, without cookies', async () => {
    const { response } = await send('/token', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://a.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
  })
})

describe('clients that are one to the identity provider, which asks for no consent', () => {
  const CALLBACK = 'https://claude.ai/api/mcp/auth_callback'
  const opened: TestProxy[] = []
  afterAll(() => Promise.all(opened.map((one) => one.close())))

  /** Where a browser is sent by a proxy that adds the client id in one of the ways in which it can be. */
  async function ask(added: object, query: Record<string, string>): Promise<string | number> {
    const issuer = `http://127.0.0.1:${(identityProvider.address() as AddressInfo).port}`
    const one = await startTestProxy({
      issuers: [{ issuer, jwks_uri: `${issuer}/jwks` }],
      rewrite: { issuer, authorization_endpoint: `${issuer}/real/authorize`, token_endpoint: `${issuer}/real/token`, ...added },
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    opened.push(one)
    const response = await fetch(`${one.origin}/authorize?${new URLSearchParams(query)}`, { redirect: 'manual' })
    return response.status === 302 ? (response.headers.get('location') ?? '') : response.status
  }

  const byQuery = { authorization_parameters: { client_id: 'the-app' } }
  const byForm = { token_parameters: { client_id: 'the-app', client_secret: 's' } }

  it.each([
    ['added to the request', byQuery],
    ['added to the token request', byForm],
  ])('get no answer at a page that the configuration does not name: %s', async (_, added) => {
    for (const uri of [
      CALLBACK,
      'https://evil.example/cb',
      'cursor://evil/cb',
      'http://evil.example/cb',
      'http://127.0.0.1@evil.example/',
      '',
    ])
      expect(await ask(added, { client_id: 'c', redirect_uri: uri })).toBe(400)
    expect(await ask(added, { client_id: 'c' })).toBe(400)
  })

  it('get no answer either where the URL of the endpoint holds the client id', async () => {
    const { port } = identityProvider.address() as AddressInfo
    const added = { authorization_endpoint: `http://127.0.0.1:${port}/real/authorize?client_id=the-app` }
    expect(await ask(added, { redirect_uri: CALLBACK })).toBe(400)
  })

  it('get theirs on the user’s own machine, and where the configuration says, letter by letter', async () => {
    for (const redirect_uri of ['http://127.0.0.1:33418/', 'http://localhost:8090/callback', 'http://[::1]:1/cb'])
      expect(await ask(byQuery, { redirect_uri })).toContain('client_id=the-app')
    const listed = { ...byQuery, redirect_uris: [CALLBACK] }
    expect(await ask(listed, { redirect_uri: CALLBACK })).toContain(encodeURIComponent(CALLBACK))
    expect(await ask(listed, { redirect_uri: `${CALLBACK}/` })).toBe(400)
    expect(await ask(listed, { redirect_uri: CALLBACK.replace('api', 'API') })).toBe(400)
  })

  it('get theirs where the configuration adds the redirect URI itself', async () => {
    const added = { authorization_parameters: { client_id: 'the-app', redirect_uri: CALLBACK } }
    expect(await ask(added, { redirect_uri: 'https://evil.example/cb' })).not.toContain('evil')
  })

  it.each([
    ...['request', 'request_uri', 'Request', 'request.uri', ' request', ' request_uri', 'reque\u017ft'],
    ...['request]', '[request_uri', 'request[]', 'request_uri[x]'],
  ])('get none by a request object, in which another redirect URI may stand (RFC 9101 §5): %s', async (name) => {
    const query = { redirect_uri: 'http://127.0.0.1:1/cb', [name]: 'https://evil.example/request.jwt' }
    expect(await ask(byQuery, query)).toBe(400)
    expect(await ask({ authorization_parameters: { ...byQuery.authorization_parameters, redirect_uri: CALLBACK } }, query)).toBe(
      400,
    )
  })

  it('are told apart by the identity provider where no client id is added, which then knows their redirect URIs', async () => {
    expect(await ask({ authorization_parameters: { audience: 'api' } }, { redirect_uri: CALLBACK })).toContain('audience=api')
  })
})

describe('what the metadata says of PKCE', () => {
  const opened: { close(): Promise<unknown> }[] = []
  afterAll(() => Promise.all(opened.map((one) => one.close())))

  async function read(document: object | undefined, stated: object = {}) {
    const server = createServer((request, response) => {
      const isMetadata = request.url === '/.well-known/oauth-authorization-server' && document !== undefined
      response
        .writeHead(isMetadata ? 200 : 404, { 'content-type': 'application/json' })
        .end(JSON.stringify({ issuer, ...document }))
    })
    const issuer = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
    const one = await startTestProxy({
      issuers: [{ issuer, jwks_uri: `${issuer}/jwks` }],
      rewrite: { issuer, authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t`, metadata: { ...stated } },
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    opened.push(one, { close: () => closeServer(server) })
    const response = await fetch(`${one.origin}/.well-known/oauth-authorization-server`)
    const { code_challenge_methods_supported: methods } = (await response.json()) as Record<string, unknown>
    return { methods, kept: response.headers.get('cache-control') }
  }

  it('is what the identity provider says', async () => {
    const methods = ['plain', 'S256']
    expect(await read({ code_challenge_methods_supported: methods })).toEqual({ methods, kept: 'max-age=300' })
    expect(await read({ code_challenge_methods_supported: ['plain'] })).toMatchObject({ methods: ['plain'] })
  })

  it('is empty where it says nothing, or cannot be asked, and is not cached', async () => {
    expect(await read({})).toEqual({ methods: undefined, kept: 'max-age=300' })
    expect(await read(undefined)).toEqual({ methods: undefined, kept: 'no-store' })
  })

  it('is what the configuration says, if it does', async () => {
    expect(await read(undefined, { code_challenge_methods_supported: ['S256'] })).toEqual({
      methods: ['S256'],
      kept: 'max-age=300',
    })
  })
})

describe('credentials of a client that the configuration adds to token requests', () => {
  const opened: TestProxy[] = []
  afterAll(() => Promise.all(opened.map((one) => one.close())))

  async function ask(added: object, grant: Record<string, string>): Promise<number> {
    const issuer = `http://127.0.0.1:${(identityProvider.address() as AddressInfo).port}`
    const one = await startTestProxy({
      issuers: [{ issuer, jwks_uri: `${issuer}/jwks` }],
      rewrite: { issuer, authorization_endpoint: `${issuer}/real/authorize`, token_endpoint: `${issuer}/real/token`, ...added },
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    opened.push(one)
    seen = []
    answer = JSON_ANSWER
    const { status } = await fetch(`${one.origin}/token`, { method: 'POST', body: new URLSearchParams(grant) })
    expect(seen.length).toBe(status === 200 ? 1 : 0)
    return status
  }

  const secret = { token_parameters: { client_id: 'the-app', client_secret: 's' } }
  const assertion = { token_parameters: { client_id: 'the-app', client_assertion: 'a', client_assertion_type: 'b' } }

  it.each(['client_credentials', 'password', 'urn:ietf:params:oauth:grant-type:token-exchange', ''])(
    'give no caller what only the client itself may have (RFC 6749 §4.4): %s',
    async (grant_type) => {
      expect(await ask(secret, { grant_type })).toBe(400)
      expect(await ask(assertion, { grant_type })).toBe(400)
      expect(await ask(secret, { Grant_Type: grant_type })).toBe(400)
    },
  )

  it('are for users who come back with a code, and for their refreshes', async () => {
    for (const grant_type of ['authorization_code', 'refresh_token']) expect(await ask(secret, { grant_type })).toBe(200)
  })

  it('are for other grants where the configuration announces these', async () => {
    const announced = { ...secret, metadata: { grant_types_supported: ['authorization_code', 'client_credentials'] } }
    expect(await ask(announced, { grant_type: 'client_credentials' })).toBe(200)
    expect(await ask(announced, { grant_type: 'refresh_token' })).toBe(400)
  })

  it('are not there where it adds none: then the identity provider knows which client may do what', async () => {
    expect(await ask({ token_parameters: { audience: 'api' } }, { grant_type: 'client_credentials' })).toBe(200)
  })
})
