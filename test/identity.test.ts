// How MCP servers over HTTP are told who calls: assertions that they can verify, and plain headers.
import { generateKeyPairSync } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { createCall, type Stage, type StageOptions, startStage } from './support/stage.ts'

type IdentityInput = NonNullable<ConfigInput['servers'][number]['identity']>

function createPem(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

const env = { IDENTITY_KEY: createPem(), NEXT_KEY: createPem() }
const key = { env: 'IDENTITY_KEY' }
let stage: Stage
afterEach(async () => {
  vi.useRealTimers()
  await stage.close()
})

async function start(identity: IdentityInput, options: StageOptions = {}): Promise<void> {
  stage = await startStage({ env, server: { identity, ...options.server }, ...options })
}

/** Calls, and returns the headers that arrived. */
async function call(token = stage.token): Promise<Readonly<Record<string, string | string[] | undefined>>> {
  const { length } = stage.upstream.requests
  const response = await fetch(`${stage.proxy.origin}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(createCall('tools/call', { name: 'echo', arguments: {} })),
  })
  expect(response.status).toBe(200)
  return stage.upstream.requests[length]?.headers ?? {}
}

async function listKeys(): Promise<{ kid: string }[]> {
  const response = await fetch(`${stage.proxy.origin}/identity/jwks`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
  return ((await response.json()) as { keys: { kid: string }[] }).keys
}

const read = (header: unknown) => decodeJwt(String(header).replace(/^Bearer /, ''))

describe('a signed assertion', () => {
  it('arrives as a bearer token that the published keys verify, in the place of the caller’s own', async () => {
    await start({ key, claims: ['name', 'email'] })
    const token = await stage.mint({ sub: 'alice', name: 'Alice', email: 'alice@example.com', email_verified: true })
    const { authorization } = await call(token)
    expect(authorization).not.toContain(token)
    const jwks = createRemoteJWKSet(new URL(`${stage.proxy.origin}/identity/jwks`))
    const { payload } = await jwtVerify(String(authorization).replace('Bearer ', ''), jwks, {
      issuer: stage.proxy.origin,
      audience: `${stage.upstream.origin}/up`,
      typ: 'omap-identity+jwt',
    })
    expect(payload).toMatchObject({
      sub: `${stage.issuer.issuer}|alice`,
      token_sub: 'alice',
      name: 'Alice',
      email: 'alice@example.com',
      scope: 'mcp:tools',
    })
  })

  it('goes into the header and to the audience that are configured, with what is called', async () => {
    await start({ key, header: 'X-Caller', audience: 'files', operation: true })
    const headers = await call()
    expect(headers.authorization).toBeUndefined()
    expect(read(headers['x-caller'])).toMatchObject({ aud: 'files', operations: [{ method: 'tools/call', tool: 'echo' }] })
  })

  it('goes with every request to the MCP server: streams, and the end of a session', async () => {
    await start({ key })
    stage.answerWith((_request, response) => void response.writeHead(204).end())
    const headers = { authorization: `Bearer ${stage.token}` }
    for (const method of ['GET', 'DELETE']) await fetch(`${stage.proxy.origin}/mcp`, { method, headers })
    const sent = stage.upstream.requests.filter(({ method }) => method !== 'POST')
    expect(sent.map(({ method }) => method)).toEqual(['GET', 'DELETE'])
    for (const { headers } of sent) expect(read(headers.authorization).token_sub).toBeDefined()
  })

  it('is the same for calls in a row, and a new one when little of its life is left', async () => {
    await start({ key, seconds: 300 })
    const first = await call()
    expect((await call()).authorization).toBe(first.authorization)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 271_000 })
    expect((await call()).authorization).not.toBe(first.authorization)
  })

  it('has keys of the store, which end with the process where that is memory, and says so', async () => {
    stage = await startStage({ server: { identity: {} }, config: { store: { kind: 'memory' } } })
    const { authorization } = await call()
    const [first, ...others] = await listKeys()
    expect(others).toEqual([])
    expect(decodeProtectedHeader(String(authorization).slice(7)).kid).toBe(first?.kid)
  })

  it('is signed by the next key after a reload, while both are published', async () => {
    await start({ key, other_keys: [{ env: 'NEXT_KEY' }] })
    const before = decodeProtectedHeader(String((await call()).authorization).slice(7)).kid
    const published = (await listKeys()).map(({ kid }) => kid)
    const { servers } = await describeServers({ key: { env: 'NEXT_KEY' }, other_keys: [key] })
    expect(await stage.proxy.reloadWith({ servers })).toMatchObject({ outcome: 'reloaded' })
    const after = decodeProtectedHeader(String((await call()).authorization).slice(7)).kid
    expect(published).toEqual([before, after])
    expect((await listKeys()).map(({ kid }) => kid)).toEqual([after, before])
  })

  it('is of each server, by its own key', async () => {
    stage = await startStage({
      env,
      servers: ({ upstream }) => [
        { path: '/mcp', upstream: `${upstream}/up`, audience: ['https://mcp.example.com/mcp'], identity: { key } },
        { path: '/two', upstream: `${upstream}/two`, identity: { key: { env: 'NEXT_KEY' } } },
        { path: '/three', upstream: `${upstream}/three`, identity: { key } },
      ],
    })
    expect(await listKeys()).toHaveLength(2)
    expect(read((await call()).authorization).aud).toBe(`${stage.upstream.origin}/up`)
  })
})

async function describeServers(identity: IdentityInput): Promise<Pick<ConfigInput, 'servers'>> {
  const audience = ['https://mcp.example.com/mcp']
  return { servers: [{ path: '/mcp', upstream: `${stage.upstream.origin}/up`, audience, scopes: ['mcp:tools'], identity }] }
}

describe('plain headers', () => {
  it('hold the claims that are there, in a form that reads one way', async () => {
    const headers = {
      'X-User': { claim: 'email' },
      'X-Name': { claim: 'name' },
      'X-Groups': { claim: 'groups' },
      'X-Unit': { claim: 'unit' },
    }
    await start({ assertion: false, headers })
    const claims = { email: 'zoë@example.com', email_verified: true, name: 'Doe, Zoë', groups: ['a', 'b,c'], unit: { id: 1 } }
    const got = await call(await stage.mint(claims))
    expect(got).toMatchObject({ 'x-user': 'zo%C3%AB@example.com', 'x-name': 'Doe%2C Zo%C3%AB', 'x-groups': 'a,b%2Cc' })
    expect([got['x-unit'], got.authorization]).toEqual([undefined, undefined])
    expect((await call(await stage.mint({ email: 'eve@example.com' })))['x-user']).toBeUndefined()
  })
})

describe('the keys', () => {
  it('are published for GET and HEAD alone, and not at all where nothing is signed', async () => {
    await start({ key })
    const url = `${stage.proxy.origin}/identity/jwks`
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    await stage.close()
    await start({ assertion: false, headers: { 'X-User': { claim: 'sub' } } })
    expect((await fetch(`${stage.proxy.origin}/identity/jwks`)).status).toBe(404)
  })
})
