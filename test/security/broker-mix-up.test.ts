// What an identity provider, or somebody between it and us, could answer to have a user be taken for another one.
import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type CryptoKey, decodeJwt, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import {
  type Browser,
  createBrowser,
  createRawClient,
  createRequest,
  openConsentPage,
  type RawClient,
  type RawRequest,
  readJson,
  readRefresh,
  redeem,
  sendConsent,
} from '../support/broker-client.ts'
import { BROKER_CLIENT_ID, BROKER_CLIENT_SECRET, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { findSecrets } from '../support/log.ts'

const UPSTREAM_TOKEN = 'access-token-of-the-identity-provider'

let provider: Server
let issuer: string
let key: { privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }
let foreignKey: CryptoKey
let stage: BrokerStage
let client: RawClient

/** Answers of the endpoints, which each test may spoil. */
let tokenAnswer: (nonce: string) => Promise<Record<string, unknown>>
let userinfo: Record<string, unknown>
let nonces: Map<string, string>
let asked: string[]
let metadata: Record<string, unknown>

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  key = { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' } }
  foreignKey = (await generateKeyPair('RS256')).privateKey
  provider = createServer((request, response) => void answer(request, response))
  issuer = `http://localhost:${await listenOnLoopback(provider, 0)}`
  stage = await startBrokerStage({ provider: { issuer }, broker: { registration: { per_minute: 10_000 } } })
  client = await createRawClient(stage.proxy.origin)
})
afterAll(async () => {
  await stage?.close()
  await closeServer(provider)
})
beforeEach(() => {
  nonces = new Map()
  asked = []
  metadata = {}
  tokenAnswer = async (nonce) => createAnswer(await mint({ nonce }))
  userinfo = { sub: 'alice', name: 'Alice' }
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0] ?? ''
  asked.push(path)
  const send = (body: object) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (path === '/.well-known/openid-configuration') return void send(describeProvider())
  if (path === '/keys') return void send({ keys: [key.jwk] })
  if (path === '/userinfo') return void send(userinfo)
  const code = new URLSearchParams(await text(request)).get('code') ?? ''
  send(await tokenAnswer(nonces.get(code) ?? ''))
}

function describeProvider(): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    authorization_response_iss_parameter_supported: true,
    ...metadata,
  }
}

const createAnswer = (idToken: unknown) => ({
  access_token: UPSTREAM_TOKEN,
  token_type: 'Bearer',
  expires_in: 3600,
  id_token: idToken,
})

function createClaims(changes: Record<string, unknown>): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer, aud: BROKER_CLIENT_ID, sub: 'alice', iat: now, exp: now + 300, ...changes }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

function mint(changes: Record<string, unknown>, signer = key.privateKey, header: object = {}): Promise<string> {
  return new SignJWT(createClaims(changes))
    .setProtectedHeader({ alg: 'RS256', kid: 'k', ...header })
    .sign(signer, { crit: { x: true } })
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function signBySecret(changes: Record<string, unknown>, secret: string): string {
  const content = `${encode({ alg: 'HS256', kid: 'k' })}.${encode(createClaims(changes))}`
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`
}

/** Allows, and gives the answer with which the identity provider would send the user back. */
async function beginSignIn(browser: Browser): Promise<{ request: RawRequest; back: URL; nonce: string }> {
  const request = createRequest(stage.proxy.origin, client)
  const page = await openConsentPage(browser, request.url)
  const away = new URL(readRefresh(await (await sendConsent(browser, page)).text()))
  const code = `code-of-the-identity-provider-${crypto.randomUUID()}`
  const nonce = away.searchParams.get('nonce') ?? ''
  nonces.set(code, nonce)
  const back = new URL(away.searchParams.get('redirect_uri') ?? '')
  back.search = new URLSearchParams({ code, state: away.searchParams.get('state') ?? '', iss: issuer }).toString()
  return { request, back, nonce }
}

/** A whole sign-in. @returns the subject of the access token */
async function signInAndReadSubject(): Promise<string | undefined> {
  const browser = createBrowser()
  const { request, back } = await beginSignIn(browser)
  const end = await browser.open(readRefresh(await (await browser.open(back)).text()))
  const redirect = new URL(end.headers.get('location') ?? '')
  const tokens = await readJson(
    await redeem(stage.proxy.origin, client, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' }),
  )
  expect(JSON.stringify(tokens)).not.toContain(UPSTREAM_TOKEN)
  return decodeJwt(tokens.access_token).sub
}

async function expectNobody(browser: Browser, back: URL): Promise<void> {
  const response = await browser.open(back)
  const html = await response.text()
  expect([400, 403, 503]).toContain(response.status)
  expect([readRefresh(html), html.includes('request id')]).toEqual(['', true])
  expect(browser.cookies.has('mcp-session')).toBe(false)
  expect(
    findSecrets(stage.proxy.log.text(), [UPSTREAM_TOKEN, BROKER_CLIENT_SECRET, back.searchParams.get('code') ?? '']),
  ).toEqual([])
}

describe('an ID token (OpenID Connect Core §3.1.3.7)', () => {
  it('signs in whom it is about', async () => {
    expect(await signInAndReadSubject()).toBe('alice')
  })

  it.each<[string, (nonce: string) => Promise<unknown> | unknown]>([
    ['that another key signed', (nonce) => mint({ nonce }, foreignKey)],
    ['that nobody signed', (nonce) => `${encode({ alg: 'none' })}.${encode(createClaims({ nonce }))}.`],
    ['whose claims were changed', async (nonce) => replaceClaims(await mint({ nonce }), { nonce, sub: 'bob' })],
    ['that our own secret signed', (nonce) => signBySecret({ nonce }, BROKER_CLIENT_SECRET)],
    [
      'that the public key signed as if it were a secret (RFC 8725 §2.1)',
      async (nonce) => signBySecret({ nonce }, await exportSPKI(key.publicKey)),
    ],
    ['that brings its own key', async (nonce) => mint({ nonce }, foreignKey, { jwk: key.jwk })],
    [
      'with a part that must be understood and is not (RFC 7515 §4.1.11)',
      (nonce) => mint({ nonce, x: 1 }, key.privateKey, { crit: ['x'], x: 1 }),
    ],
    ['of another issuer', (nonce) => mint({ nonce, iss: 'https://evil.example' })],
    ['of an issuer with one more slash', (nonce) => mint({ nonce, iss: `${issuer}/` })],
    ['of nobody', (nonce) => mint({ nonce, iss: undefined })],
    ['for another application', (nonce) => mint({ nonce, aud: 'another' })],
    ['for nobody', (nonce) => mint({ nonce, aud: undefined })],
    ['for us, and given to another application', (nonce) => mint({ nonce, aud: [BROKER_CLIENT_ID, 'another'], azp: 'another' })],
    ['of another sign-in', () => mint({ nonce: 'nonce-of-another-sign-in' })],
    ['of no sign-in at all', () => mint({})],
    ['that is over', (nonce) => mint({ nonce, exp: Math.floor(Date.now() / 1000) - 600 })],
    ['that never ends', (nonce) => mint({ nonce, exp: undefined })],
    ['that begins tomorrow', (nonce) => mint({ nonce, nbf: Math.floor(Date.now() / 1000) + 86_400 })],
    ['about nobody', (nonce) => mint({ nonce, sub: undefined })],
    ['about a number', (nonce) => mint({ nonce, sub: 42 })],
    ['that is none', () => 'x'],
    ['that is missing', () => undefined],
  ])('signs no user in: one %s', async (_name, spoil) => {
    tokenAnswer = async (nonce) => createAnswer(await spoil(nonce))
    const browser = createBrowser()
    const { back } = await beginSignIn(browser)
    await expectNobody(browser, back)
    expect(asked).toContain('/token')
    tokenAnswer = async (nonce) => createAnswer(await mint({ nonce }))
    expect(await signInAndReadSubject()).toBe('alice')
  })

  it('signs no user in when the userinfo endpoint names another one (§5.3.2)', async () => {
    userinfo = { sub: 'bob', name: 'Bob' }
    const browser = createBrowser()
    const { back } = await beginSignIn(browser)
    await expectNobody(browser, back)
  })

  it('identifies the user, whatever the userinfo endpoint says beside it', async () => {
    userinfo = { sub: 'alice', iss: 'https://evil.example', aud: 'evil', granted_scopes: ['mcp:admin'] }
    expect(await signInAndReadSubject()).toBe('alice')
  })
})

function replaceClaims(token: string, changes: Record<string, unknown>): string {
  const [header, , signature] = token.split('.')
  return [header, encode(createClaims(changes)), signature].join('.')
}

describe('an answer that belongs to another question', () => {
  it('is not even taken to the token endpoint when another provider gave it (mix-up, RFC 9207 §2.4, RFC 9700 §4.4)', async () => {
    for (const iss of ['https://evil.example', `${issuer}/`, issuer.toUpperCase(), '', undefined]) {
      const browser = createBrowser()
      const { back } = await beginSignIn(browser)
      if (iss === undefined) back.searchParams.delete('iss')
      else back.searchParams.set('iss', iss)
      await expectNobody(browser, back)
    }
    expect(asked).not.toContain('/token')
  })

  it('is none of another tab’s: a code goes with its own nonce and its own PKCE verifier (RFC 9700 §4.5.3)', async () => {
    const browser = createBrowser()
    const [first, second] = [await beginSignIn(browser), await beginSignIn(browser)]
    const injected = new URL(first.back)
    injected.searchParams.set('code', second.back.searchParams.get('code') ?? '')
    await expectNobody(browser, injected)
  })

  it('is no token in the address: nothing is taken but a code (RFC 9700 §2.1.2)', async () => {
    const browser = createBrowser()
    const { back, nonce } = await beginSignIn(browser)
    back.searchParams.delete('code')
    back.searchParams.set('id_token', await mint({ nonce }))
    back.searchParams.set('access_token', UPSTREAM_TOKEN)
    const response = await browser.open(back)
    expect([400, 503]).toContain(response.status)
    expect(readRefresh(await response.text())).toBe('')
    expect(asked).not.toContain('/token')
  })
})

describe('an authorization endpoint', () => {
  it.each([
    'javascript:alert(1)//',
    'data:text/html,<script>alert(1)</script>',
    'file:///etc/passwd',
    'vbscript:x',
    '$(calc.exe)',
    '--flag',
    '/authorize',
    '',
    42,
  ])('that is no web address leads no browser anywhere: %s', async (authorization_endpoint) => {
    metadata = { authorization_endpoint }
    // Metadata is kept for a while: this is about a proxy that has none yet.
    const fresh = await startBrokerStage({ provider: { issuer } })
    try {
      const browser = createBrowser()
      const page = await openConsentPage(
        browser,
        createRequest(fresh.proxy.origin, await createRawClient(fresh.proxy.origin)).url,
      )
      const response = await sendConsent(browser, page)
      const html = await response.text()
      expect([400, 503]).toContain(response.status)
      expect([readRefresh(html), html.includes('request id')]).toEqual(['', true])
      expect(html).not.toMatch(/alert\(|calc|passwd|--flag/)
    } finally {
      await fresh.close()
    }
  })
})
