// Access keys under attack: what is guessed, altered, misplaced, smuggled and stolen. What did the upstream see?
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfigFile } from '../../src/config/load.ts'
import { createAccessKey } from '../../src/core/access-key.ts'
import { createTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { createFileKey, startKeyStage } from '../support/key-stage.ts'
import { sendRaw } from '../support/raw-client.ts'
import { answerJson } from '../support/recording-upstream.ts'

type Stage = Awaited<ReturnType<typeof startKeyStage>>

const BOUND = createFileKey({ name: 'bound', addresses: ['192.0.2.0/24'] })
const EXPIRED = createFileKey({ name: 'expired', expires: '2020-01-01' })
const OTHER_SERVER = createFileKey({ name: 'web', servers: ['web'] })
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

let stage: Stage
/** In force at `files`. */
let key: string
let revoked: string

beforeAll(async () => {
  stage = await startKeyStage({
    config: (issuer) => ({
      keys: [BOUND.entry, EXPIRED.entry, OTHER_SERVER.entry],
      issuers: [{ issuer, introspection: { client_id: 'proxy', client_secret: { file: 'token' } } }],
    }),
    server: { bearer_methods: ['header', 'query', 'body'] },
    answer: answerJson({ jsonrpc: '2.0', id: 1, result: {} }, 200, { 'Mcp-Session-Id': 'of-the-upstream' }),
  })
  key = await stage.create('--name', 'nightly', '--server', 'files', '--scopes', 'files:read')
  revoked = await stage.create('--name', 'revoked', '--server', 'files', '--scopes', 'files:read')
  await stage.ask('keys', 'revoke', 'revoked')
})
afterAll(async () => {
  const log = stage.log.text() + JSON.stringify(stage.events)
  await stage.stop()
  const seen = log + readFileSync(stage.auditFile, 'utf8')
  await stage.close()
  const secrets = [key, revoked, BOUND.key, EXPIRED.key]
  expect(secrets.map((secret) => seen.includes(secret.slice(5, 25)))).toEqual([false, false, false, false])
})

/** Sends lines as they are. */
function send(lines: readonly string[], target = '/files', text = body) {
  const { host, port } = new URL(stage.origin)
  const head = [`POST ${target} HTTP/1.1`, `Host: ${host}`, `Content-Length: ${Buffer.byteLength(text)}`, ...lines]
  return sendRaw(Number(port), Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`, 'latin1'))
}

const JSON_BODY = 'Content-Type: application/json'

/** What a request came to, with everything that could tell two answers apart but its own id. */
async function look(credential: string) {
  const { status, challenge, body: text } = await stage.call(credential)
  return { status, challenge, text: text.replace(/"request_id":"[^"]+"/, '') }
}

async function reached<T>(attempt: () => Promise<T>): Promise<{ readonly result: T; readonly requests: number }> {
  const before = stage.upstream.requests.length
  const result = await attempt()
  return { result, requests: stage.upstream.requests.length - before }
}

describe('what a stranger learns of a key', () => {
  it('is the same for one that is unknown, revoked, stolen to elsewhere, or one letter wrong at any place', async () => {
    const unknown = await look(createAccessKey())
    expect(unknown).toMatchObject({ status: 401, challenge: expect.stringContaining('error="invalid_token"') })
    expect([await look(revoked), await look(BOUND.key)]).toEqual([unknown, unknown])
    for (let at = 5; at < key.length; at++) {
      const wrong = key.slice(0, at) + (key[at] === 'A' ? 'B' : 'A') + key.slice(at + 1)
      expect(await look(wrong)).toEqual(unknown)
      expect(await look(key.slice(0, at))).toEqual(unknown)
    }
  })

  it('is no more than of a token where it has expired, or is for another server', async () => {
    expect(await look(EXPIRED.key)).toMatchObject({ status: 401, text: expect.stringContaining('token_expired') })
    expect(await look(OTHER_SERVER.key)).toMatchObject({ status: 401, text: expect.stringContaining('token_audience_mismatch') })
  })

  it('reaches neither the issuer nor its introspection, whatever begins like a key', async () => {
    const before = stage.issuer.requests.length
    const token = await stage.issuer.mint({ claims: { aud: `${stage.origin}/files`, scope: 'files:read' } })
    const { requests } = await reached(async () => {
      for (const text of [
        'omap_',
        'omap_x',
        `omap_${token}`,
        `${createAccessKey()}.a.b`,
        createAccessKey(),
        `${key}=`,
        key.toUpperCase(),
        revoked,
      ])
        expect((await look(text)).status).toBe(401)
    })
    expect([requests, stage.issuer.requests.slice(before)]).toEqual([0, []])
  })
})

describe('a token verifier by itself, as token exchange, doctor and other programs use it', () => {
  it('asks no issuer about a key', async () => {
    const before = stage.issuer.requests.length
    const [issuer] = loadConfigFile(stage.file, { env: {}, terminal: false }).plan.servers[0]?.issuers ?? []
    const verifier = createTokenVerifier({ issuers: issuer ? [issuer] : [], audiences: [`${stage.origin}/files`] })
    for (const text of [key, 'omap_', `omap_${'a.'.repeat(2)}`])
      expect(() => verifier.verify(text)).toThrow(
        expect.objectContaining({ code: 'token_invalid', reason: 'access_key_unknown' }),
      )
    await verifier.close()
    expect(stage.issuer.requests.slice(before)).toEqual([])
  })
})

describe('a key in another place than one Authorization header', () => {
  it.each<[string, () => Promise<{ status: number }>, number]>([
    ['in the query, where tokens may be', () => send([JSON_BODY], `/files?access_token=${key}`), 400],
    [
      'in a form, where tokens may be',
      () => send(['Content-Type: application/x-www-form-urlencoded'], '/files', `access_token=${key}`),
      400,
    ],
    ['in the query and the header', () => send([JSON_BODY, `Authorization: Bearer ${key}`], `/files?access_token=${key}`), 400],
    ['in two headers', () => send([JSON_BODY, `Authorization: Bearer ${key}`, `Authorization: Bearer ${key}`]), 400],
    ['behind another one', () => send([JSON_BODY, 'Authorization: Basic YTpi', `Authorization: Bearer ${key}`]), 400],
    ['in a list', () => send([JSON_BODY, `Authorization: Bearer ${key}, Bearer ${key}`]), 400],
    ['behind a tab', () => send([JSON_BODY, `Authorization: Bearer\t${key}`]), 400],
    ['under another scheme', () => send([JSON_BODY, `Authorization: Basic ${key}`]), 401],
    ['without a scheme', () => send([JSON_BODY, `Authorization: ${key}`]), 401],
    ['in X-Api-Key', () => send([JSON_BODY, `X-Api-Key: ${key}`]), 401],
    ['in Proxy-Authorization', () => send([JSON_BODY, `Proxy-Authorization: Bearer ${key}`]), 401],
    ['in a name that is folded', () => send([JSON_BODY, `Author_ization: Bearer ${key}`]), 401],
    ['in a cookie', () => send([JSON_BODY, `Cookie: access_token=${key}`]), 401],
    ['in the body of the message', () => send([JSON_BODY], '/files', JSON.stringify({ access_token: key })), 401],
    ['in quotation marks', () => send([JSON_BODY, `Authorization: Bearer "${key}"`]), 400],
    ['in fullwidth letters', () => send([JSON_BODY, `Authorization: Bearer \xef\xbd\x8fmap_${key.slice(5)}`]), 400],
    ['with a soft hyphen', () => send([JSON_BODY, `Authorization: Bearer ${key.slice(0, 9)}\xad${key.slice(9)}`]), 400],
    ['in capitals', () => send([JSON_BODY, `Authorization: Bearer ${key.toUpperCase()}`]), 401],
    ['with a lot behind it', () => send([JSON_BODY, `Authorization: Bearer ${key}${'A'.repeat(8000)}`]), 401],
    ['with more behind it than a token has', () => send([JSON_BODY, `Authorization: Bearer ${key}${'A'.repeat(16_400)}`]), 431],
  ])('%s opens nothing', async (_name, attempt, status) => {
    const { result, requests } = await reached(attempt)
    expect([result.status, requests]).toEqual([status, 0])
  })

  it('while any spelling of the header that clients use is fine', async () => {
    for (const line of [`authorization: bearer ${key}`, `AUTHORIZATION:  BEARER   ${key}  `])
      expect((await send([JSON_BODY, line])).status).toBe(200)
    expect(stage.upstream.requests.at(-1)?.rawHeaders.join('\n')).not.toContain(key)
  })
})

describe('a token that claims to be a key', () => {
  it('is the token of its issuer, whatever client it names', async () => {
    const claims = { aud: `${stage.origin}/files`, scope: 'files:read', client_id: 'nightly', key: 'nightly' }
    expect((await stage.call(await stage.issuer.mint({ claims }))).status).toBe(200)
    const line = stage.log.records().findLast(({ server }) => server === 'files')
    expect(line).toMatchObject({ issuer: stage.issuer.issuer, client_id: 'nightly' })
    expect(line).not.toHaveProperty('key')
  })

  it('cannot be one of the issuer of keys', async () => {
    const claims = {
      aud: `${stage.origin}/files`,
      scope: 'files:read',
      iss: 'urn:open-mcp-auth-proxy:keys',
      client_id: 'nightly',
    }
    expect(await look(await stage.issuer.mint({ claims }))).toMatchObject({
      status: 401,
      text: expect.stringContaining('token_issuer_unknown'),
    })
  })
})

describe('a key beside the MCP session of another principal', () => {
  it('opens nothing, in both directions', async () => {
    const token = await stage.issuer.mint({ claims: { aud: `${stage.origin}/files`, scope: 'files:read', sub: 'alice' } })
    const other = await stage.create('--name', 'alice', '--server', 'files', '--scopes', 'files:read', '--for', 'alice')
    const open = async (credential: string) => {
      const response = await send([JSON_BODY, `Authorization: Bearer ${credential}`])
      return response.header('mcp-session-id') ?? ''
    }
    const holders = [token, key, other]
    const sessions = await Promise.all(holders.map(open))
    const matrix = await Promise.all(
      holders.map(async (credential) =>
        Promise.all(
          sessions.map(
            async (session) =>
              (await send([JSON_BODY, `Authorization: Bearer ${credential}`, `Mcp-Session-Id: ${session}`])).status,
          ),
        ),
      ),
    )
    expect(matrix).toEqual([
      [200, 404, 404],
      [404, 200, 404],
      [404, 404, 200],
    ])
  })
})

describe('the admin listener', () => {
  it('logs no key that an operator writes where its digest or name belongs', async () => {
    const token = readFileSync(`${stage.folder}/token`, 'utf8')
    for (const [path, input] of [
      ['/keys/create', { name: 'x', digest: key, servers: ['files'] }],
      ['/keys/create', { name: key, digest: `sha256:${'0'.repeat(64)}`, servers: [key] }],
      ['/keys/create', { [key]: 1 }],
      ['/keys/revoke', { name: key }],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${stage.adminPort}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(input),
      })
      expect(response.status).toBeGreaterThanOrEqual(400)
    }
    const denied = await fetch(`http://127.0.0.1:${stage.adminPort}/keys/list`, { method: 'POST', body: '{}' })
    expect(denied.status).toBe(401)
  })

  it('does not take an access key for its token', async () => {
    const response = await fetch(`http://127.0.0.1:${stage.adminPort}/keys/list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(response.status).toBe(401)
  })
})

describe('a server that begins to pass tokens on while there are keys for it', () => {
  it('gets no key, and its callers are told why', async () => {
    const own = await startKeyStage()
    const mine = await own.create('--name', 'nightly', '--server', 'files', '--scopes', 'files:read')
    expect(await own.status(mine)).toBe(200)
    const { port } = new URL(own.origin)
    const servers = [
      { name: 'files', path: '/files', upstream: `${own.upstream.origin}/files`, forward_access_token: true },
      { name: 'web', path: '/web', upstream: `${own.upstream.origin}/web` },
    ]
    own.write({ servers, listen: { port: Number(port) } })
    expect(await own.reload()).toMatchObject({ outcome: 'reloaded' })
    const before = own.upstream.requests.length
    expect(await own.call(mine)).toMatchObject({ status: 403, body: expect.stringContaining('access_key_unsupported') })
    expect(own.upstream.requests.length - before).toBe(0)
    await own.close()
  })
})
