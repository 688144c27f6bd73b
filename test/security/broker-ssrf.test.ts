// Where a stranger can have us go: the names of their choice, resolved as they like (client ID metadata documents -02 §8.6).
import { randomBytes } from 'node:crypto'
import type { LookupAddress } from 'node:dns'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBroker } from '../../src/broker/broker.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import type { ResolveHost } from '../../src/oauth/resolve-host.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createRequest, postForm, type RawClient, readJson, register } from '../support/broker-client.ts'
import { createCertificate } from '../support/certificate.ts'

const REDIRECT_URI = 'https://client.example/cb'
const closing: (() => Promise<unknown>)[] = []
let port: number
let dialled: string[]

beforeAll(async () => {
  const inside = createTlsServer(createCertificate(), (_request, response) => response.end())
  inside.on('connection', () => dialled.push('connection'))
  port = await listenOnLoopback(inside as never, 0)
  closing.push(() => closeServer(inside as never))
})
afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

type Answers = readonly (readonly string[])[]

/** Gives each lookup of a name the next answer, the last one for ever; remembers the names. */
function createResolver(answers: Answers): ResolveHost & { readonly names: string[] } {
  const names: string[] = []
  const resolve: ResolveHost = (hostname, _options, callback) => {
    names.push(hostname)
    const addresses = answers[Math.min(names.length, answers.length) - 1] ?? []
    callback(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return Object.assign(resolve, { names })
}

/** The endpoints of a broker for which names are what the resolver says. */
async function serveBroker(
  resolveHost: ResolveHost,
  clientMetadata: object = {},
  changes: { readonly issuer?: string } = {},
): Promise<{ origin: string; said: string[] }> {
  const origin = 'http://localhost'
  const config = {
    public_url: origin,
    identity_provider: { issuer: 'https://login.example.com', client_id: 'x', client_secret: { env: 'SECRET' } },
    broker: { store: { kind: 'memory' }, client_metadata: clientMetadata },
    servers: [{ name: 'example', path: '/mcp', upstream: 'http://localhost:1/mcp', scopes: ['mcp:tools'] }],
  } as unknown as ConfigInput
  const where = { env: { SECRET: 'secret-at-the-provider-0123456789' }, directory: import.meta.dirname, terminal: false }
  const plan = loadConfigValue(config, where).plan.broker
  if (plan === undefined) throw new Error('there is no broker in the plan')
  const said: string[] = []
  const broker = await startBroker({
    plan: { ...plan, encryptionKeys: [randomBytes(32)], clientMetadata: { ...plan.clientMetadata, ...changes } },
    resources: [{ identifier: `${origin}/mcp`, name: 'example', scopes: new Set(['mcp:tools']), defaultScopes: ['mcp:tools'] }],
    endpointPaths: ['/mcp'],
    store: createMemoryStore(),
    onIssue: (message) => said.push(message),
    onEvent: () => {},
    resolveHost,
  })
  const server: Server = createServer((request, response) => {
    const [path = ''] = request.url?.split('?') ?? []
    const handle = broker.handlers.get(path)
    const incoming = {
      request,
      response,
      path,
      requestId: 'x',
      address: '127.0.0.1',
      note: (...told: unknown[]) => said.push(String(told)),
      noteParties: () => undefined,
    }
    Promise.resolve(handle?.(incoming)).catch(() => response.destroy())
  })
  const at = `http://localhost:${await listenOnLoopback(server, 0)}`
  closing.push(() => closeServer(server), broker.close)
  return { origin: at, said }
}

async function open(origin: string, id: string): Promise<{ status: number; text: string }> {
  dialled = []
  const client: RawClient = { id, redirectUri: REDIRECT_URI, secret: undefined }
  const url = createRequest(origin, client, { resource: 'http://localhost/mcp' }).url
  const response = await fetch(url, { redirect: 'manual', headers: { accept: 'application/json' } })
  return { status: response.status, text: JSON.stringify(await readJson(response)) }
}

describe('the document of a client', () => {
  it.each<[string, Answers]>([
    ['this machine', [['127.0.0.1']]],
    ['this machine by IPv6', [['::1']]],
    ['this machine, IPv4 in IPv6', [['::ffff:127.0.0.1']]],
    ['this machine, as a host without an address', [['0.0.0.0']]],
    ['this machine by NAT64', [['64:ff9b::7f00:1']]],
    ['this machine by 6to4', [['2002:7f00:1::']]],
    ['a private network', [['10.0.0.1']]],
    ['where clouds keep their secrets', [['169.254.169.254']]],
    ['a public place and this machine', [['93.184.216.34', '127.0.0.1']]],
    ['this machine and a public place', [['127.0.0.1', '93.184.216.34']]],
  ])('is not looked for when its name leads to %s', async (_name, answers) => {
    const resolver = createResolver(answers)
    const { origin, said } = await serveBroker(resolver)
    const answer = await open(origin, `https://client.example:${port}/c.json`)
    // As for a host that does not answer: it must not show what names there are behind us.
    expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('temporarily_unavailable')])
    expect(answer.text).not.toMatch(/address|public|127|resolve/)
    expect(dialled).toEqual([])
    expect(resolver.names).toEqual(['client.example'])
    expect(said.join()).toContain('is not public')
  })

  it('has no host of its own, whatever else the plan of client metadata may hold one day', async () => {
    const resolver = createResolver([['127.0.0.1']])
    const { origin, said } = await serveBroker(resolver, {}, { issuer: `https://client.example:${port}` })
    expect((await open(origin, `https://client.example:${port}/c.json`)).status).toBe(503)
    expect(dialled).toEqual([])
    expect(said.join()).toContain('is not public')
  })

  it.each([
    'https://client.example:0/c.json',
    'http://client.example/c.json',
    'https://client.example/?x',
    'https://client.example/',
    'https://user@client.example/c.json',
    'https://client.example/a/../c.json',
    'https://CLIENT.example/c.json',
    'https://client.example:443/c.json',
  ])('is not looked for under an id that cannot be one, where private networks are allowed, too: %s (§3)', async (id) => {
    const resolver = createResolver([['127.0.0.1']])
    const { origin } = await serveBroker(resolver, { allow_private_network: true })
    expect((await open(origin, id)).status).toBe(401)
    expect(resolver.names).toEqual([])
  })

  it('is looked for there where the operator allows it, and only at the address that was checked (DNS rebinding)', async () => {
    const resolver = createResolver([['127.0.0.1'], ['169.254.169.254']])
    const { origin } = await serveBroker(resolver, { allow_private_network: true })
    expect((await open(origin, `https://client.example:${port}/c.json`)).status).toBe(503)
    expect(dialled).toEqual(['connection'])
    expect(resolver.names).toEqual(['client.example'])
  })
})

describe('the keys of a client that registered itself', () => {
  async function askWithAssertion(origin: string, scheme = 'https'): Promise<{ status: number; text: string }> {
    const response = await register(origin, {
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: `${scheme}://keys.example:${port}/keys.json`,
    })
    const { client_id: id } = await readJson(response)
    expect(response.status).toBe(201)
    const { privateKey } = await generateKeyPair('ES256')
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: id, sub: id, aud: 'http://localhost', jti: crypto.randomUUID(), iat: now, exp: now + 60 }
    const form = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey),
    }
    const answer = await postForm(`${origin}/token`, form)
    return { status: answer.status, text: await answer.text() }
  }

  it.each<[string, Answers]>([
    ['this machine', [['127.0.0.1']]],
    ['this machine, IPv4 in IPv6', [['::ffff:127.0.0.1']]],
    ['a private network', [['192.168.0.1']]],
    ['a public place and this machine', [['93.184.216.34', '127.0.0.1']]],
  ])('are not looked for when their place leads to %s (RFC 7591 §5)', async (_name, answers) => {
    dialled = []
    const resolver = createResolver(answers)
    const { origin } = await serveBroker(resolver)
    const answer = await askWithAssertion(origin)
    expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('temporarily_unavailable')])
    expect(answer.text).not.toMatch(/\baddress\b|127|192|resolve/)
    expect([dialled, resolver.names]).toEqual([[], ['keys.example']])
  })

  it('are not looked for without TLS, wherever they are', async () => {
    dialled = []
    const resolver = createResolver([['127.0.0.1']])
    const { origin } = await serveBroker(resolver, { allow_private_network: true })
    expect((await askWithAssertion(origin, 'http')).status).toBe(401)
    expect([dialled, resolver.names]).toEqual([[], []])
  })

  it('are looked for there where the operator allows it', async () => {
    dialled = []
    const { origin } = await serveBroker(createResolver([['127.0.0.1']]), { allow_private_network: true })
    expect((await askWithAssertion(origin)).status).toBe(503)
    expect(dialled).toEqual(['connection'])
  })

  it.each(['file:///etc/passwd', 'data:application/json,{}', 'ftp://keys.example/', '//keys.example/'])(
    'have no place like %s',
    async (jwks_uri) => {
      const { origin } = await serveBroker(createResolver([['127.0.0.1']]))
      const response = await register(origin, {
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri,
      })
      expect([response.status, (await readJson(response)).error]).toEqual([400, 'invalid_client_metadata'])
    },
  )
})
