// An identity provider that answers nonsense, or nothing, where users are signed in and silently refreshed. Who it is that fails must
// show: the user learns that it is not them, the operator where it failed, and nobody loses a session that the provider did not end.
import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  type Browser,
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  type RawClient,
  readJson,
  readRefresh,
  redeem,
  refresh,
  sendConsent,
} from '../support/broker-client.ts'
import { type Profile, startProfile } from '../support/identity-profiles/profile.ts'
import { type Interference, sendJson, VENDOR_CLIENT, type Vendor } from '../support/identity-profiles/vendor.ts'
import { AUTH0, GITHUB } from '../support/identity-profiles/vendors.ts'
import { findSecrets } from '../support/log.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'

const [alice] = SAMPLE_USERS
/** Stands for a secret in an answer that nobody can read. */
const SPILLED = 'gho_16C7e42F292c6912E7710c838347Ae178B4a'

const send =
  (status: number, type: string, body: string): Interference =>
  (response) =>
    response.writeHead(status, { 'content-type': type }).end(body)
const json = (status: number, body: string) => send(status, 'application/json', body)

const FAULTS: Readonly<Record<string, Interference>> = {
  'a page': send(200, 'text/html', '<!doctype html><h1>Please wait</h1>'),
  'a page that calls itself JSON': json(200, '<!doctype html><h1>Please wait</h1>'),
  nothing: json(200, ''),
  'nothing, not even a type': (response) => response.writeHead(204).end(),
  'JSON that breaks off': json(200, `{"access_token":"${SPILLED}","token_`),
  'JSON that is none': json(200, `{"access_token":${SPILLED}}`),
  'JSON of another shape': json(200, '["a","b"]'),
  'an empty object': json(200, '{}'),
  'members of other types': json(200, '{"access_token":1,"token_type":[],"expires_in":"soon","sub":{},"id":{},"keys":"none"}'),
  'status 500': json(500, '{"error":"server_error"}'),
  'a page with status 502': send(502, 'text/html', '<h1>Bad gateway</h1>'),
  'status 503 and nothing else': (response) => response.writeHead(503).end(),
  'status 429': json(429, '{"error":"slow_down"}'),
  'more than anybody should read': json(200, JSON.stringify({ access_token: SPILLED, more: 'x'.repeat(2_000_000) })),
  'a redirect': (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' }).end(),
  'half of an answer': (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
    response.write(`{"access_token":"${SPILLED}"`, () => response.destroy())
  },
  'no answer at all': (response) => response.destroy(),
}

/** Its refresh tokens are good once. */
const OIDC: Vendor = { ...AUTH0, rotatesRefreshTokens: true }
type Place = 'token' | 'userinfo' | 'keys'
const PLACES: Readonly<Record<Place, string>> = {
  token: 'the token endpoint',
  userinfo: 'the userinfo endpoint',
  keys: 'the signature of the ID token',
}
const OIDC_PLACES: Place[] = ['token', 'userinfo', 'keys']

let mcpServer: ExampleMcpServer
beforeAll(async () => {
  mcpServer = await startMcpServer()
})
afterAll(() => mcpServer?.close())

interface Stage {
  readonly vendor: Vendor
  readonly profile: Profile
  readonly proxy: TestProxy
  readonly origin: string
  readonly client: RawClient
}

const stages: Stage[] = []

async function start(vendor: Vendor, write: (profile: Profile) => object, server: object = {}): Promise<Stage> {
  const profile = await startProfile(vendor)
  const identityProvider = { client_id: VENDOR_CLIENT.id, client_secret: { env: 'SECRET' }, ...write(profile) }
  const proxy = await startTestProxy(
    {
      identity_provider: identityProvider as ConfigInput['identity_provider'] & object,
      broker: {
        store: { kind: 'memory' },
        authorizations_per_minute: 100_000,
        access_token_seconds: 86_400,
        registration: { per_minute: 1000 },
      },
      servers: [{ path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'], ...server }],
    },
    { SECRET: VENDOR_CLIENT.secret },
  )
  const stage = { vendor, profile, proxy, origin: proxy.origin, client: await createRawClient(proxy.origin) }
  stages.push(stage)
  return stage
}
const startOidc = (server?: object) =>
  start(
    OIDC,
    ({ issuer }) => ({
      issuer,
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      client_authentication: 'client_secret_post',
    }),
    server,
  )
/** As its applications with user tokens that expire. */
const PLAIN: Vendor = {
  ...GITHUB,
  givesRefreshToken: () => true,
  rotatesRefreshTokens: true,
  sendTokens: (_request, response, _status, { id_token: _, ...answer }) => sendJson(response, 200, answer),
}
const startPlain = () =>
  start(PLAIN, ({ origin }) => ({ kind: 'github', base_url: origin, allow: [{ claim: 'login', values: ['alice'] }] }))

afterEach(() => vi.useRealTimers())
async function closeStages(): Promise<void> {
  await Promise.all(stages.splice(0).flatMap(({ proxy, profile }) => [proxy.close(), profile.close()]))
}

const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

/** Has the provider answer so at one of its endpoints, for as long as something is done. Keys are asked for when they are new. */
async function during<T>({ profile, vendor }: Stage, place: Place, fault: Interference, work: () => Promise<T>): Promise<T> {
  const before = profile.interferences
  await profile.rotateKey()
  profile.interfere(vendor.paths[place], fault)
  try {
    return await work()
  } finally {
    profile.interfere(vendor.paths[place], undefined)
    expect(profile.interferences).toBeGreaterThan(before)
  }
}

/** Agrees on the consent page and follows the browser to the provider, where the user is signed in, and back. */
async function agree(browser: Browser, page: { url: string; html: string }): Promise<Response> {
  const away = await browser.open(readRefresh(await (await sendConsent(browser, page)).text()))
  return browser.open(away.headers.get('location') ?? '')
}

function readLink(html: string, label: string): string {
  const found = new RegExp(`<a[^>]* href="([^"]+)">${label}`).exec(html)?.[1] ?? ''
  return found.replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code)))
}

/** The one line of the log about a request, which says where the provider failed and gives nothing away. */
async function expectLine({ proxy, profile }: Stage, matches: (record: Record<string, unknown>) => boolean, place: Place) {
  const line = await proxy.log.waitFor(matches)
  expect(proxy.log.records().filter(matches)).toHaveLength(1)
  expect(line).toMatchObject({ level: 'warn', code: 'identity_provider_unavailable', status: 503 })
  expect(line.cause).toMatch(new RegExp(`^${PLACES[place]}: .{10}`))
  expect(findSecrets(proxy.log.text(), [...profile.listSecrets(), SPILLED])).toEqual([])
  expect(proxy.log.text()).not.toContain(SPILLED.slice(0, 8))
  expect(proxy.log.records().filter(({ level }) => level === 'error')).toEqual([])
}

async function failToSignIn(stage: Stage, place: Place, fault: Interference): Promise<void> {
  const { origin, client } = stage
  const browser = createBrowser()
  const request = createRequest(origin, client)
  const page = await openConsentPage(browser, request.url)
  const answer = await during(stage, place, fault, () => agree(browser, page))
  const html = await answer.text()
  expect([answer.status, html]).toEqual([503, expect.stringContaining('Signing in is not possible right now')])
  const requestId = /request id: <code>([^<]+)</.exec(html)?.[1]
  await expectLine(stage, ({ request_id: id }) => id === requestId, place)
  // The provider is well again: the same page leads on, and the next who begins has a sign-in like any other.
  const again = new URL(readLink(html, 'Try again'), origin).href
  const back = await agree(browser, { url: again, html: await (await browser.open(again)).text() })
  const redirect = await followToClient(browser, back, client)
  expect((await redeem(origin, client, { ...request, code: redirect.searchParams.get('code') ?? '', redirect })).status).toBe(200)
}

async function followToClient(browser: Browser, response: Response, { redirectUri }: RawClient): Promise<URL> {
  const redirect = await browser.open(readRefresh(await response.text()))
  const location = redirect.headers.get('location') ?? ''
  expect(location).toContain(redirectUri)
  return new URL(location)
}

/** The provider ends the session: so do we, and nothing else has to be done than to sign in. */
async function loseSession(stage: Stage, place: Place, fault: Interference): Promise<void> {
  const { origin, client } = stage
  const tokens = await obtainTokens(origin, client, alice)
  later(2 * 3600)
  const answer = await during(stage, place, fault, () => refresh(origin, client, tokens.refresh_token))
  expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
  expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(401)
  expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
  expect((await obtainTokens(origin, client, alice)).scope).toBe('mcp:tools')
}

async function failToRefresh(stage: Stage, place: Place, fault: Interference): Promise<void> {
  const tokens = await obtainTokens(stage.origin, stage.client, alice)
  later(2 * 3600)
  await failWith(tokens, stage, place, fault)
}

async function failWith(
  tokens: Awaited<ReturnType<typeof obtainTokens>>,
  stage: Stage,
  place: Place,
  fault: Interference,
  letGo?: () => void,
): Promise<void> {
  const { origin, client, proxy } = stage
  const known = new Set(proxy.log.records().map((record) => record.request_id))
  const answer = await during(stage, place, fault, () => refresh(origin, client, tokens.refresh_token))
  expect([answer.status, await readJson(answer)]).toEqual([
    503,
    { error: 'temporarily_unavailable', error_description: 'the identity provider cannot be reached right now' },
  ])
  await expectLine(stage, ({ path, request_id: id }) => path === '/token' && !known.has(id), place)
  // Nothing has ended: what is out stays good, and the client goes on with what it has.
  expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
  letGo?.()
  let next = await refresh(origin, client, tokens.refresh_token)
  // A refresh token of the provider is not sent again before the end of the request that has it is known.
  while (letGo !== undefined && next.status === 503) next = await refresh(origin, client, tokens.refresh_token)
  expect(next.status).toBe(200)
  expect(await callMcp(`${origin}/mcp`, (await readJson(next)).access_token)).toBe(200)
}

describe.each(OIDC_PLACES)('an identity provider that answers nonsense at %s', (place) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startOidc()
  })
  afterAll(closeStages)

  it.each(Object.entries(FAULTS))('keeps no user from signing in later: %s', (_name, fault) => failToSignIn(stage, place, fault))
  it.each(Object.entries(FAULTS))('ends no session: %s', (_name, fault) => failToRefresh(stage, place, fault))
})

describe('an identity provider that says no', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startOidc()
  })
  afterAll(closeStages)

  /** What is no word on the user’s session: it may be that of an operator who has yet to change a secret. */
  const ABOUT_US: [name: string, place: Place, fault: Interference][] = [
    ['to the proxy (RFC 6749 §5.2)', 'token', json(401, '{"error":"invalid_client"}')],
    ['to the request, with another status', 'token', json(403, '{"error":"invalid_request"}')],
    ['to a token that it has just given', 'userinfo', json(401, '{"error":"invalid_token"}')],
    ['and speaks of somebody else (OpenID Connect Core §5.3.2)', 'userinfo', json(200, '{"sub":"mallory"}')],
  ]
  it.each(ABOUT_US)('ends no session when it says so %s', (_name, place, fault) => failToRefresh(stage, place, fault))

  /**
   * Beside RFC 6749 §5.2, what Entra ID says of a refresh where the user has to be asked something (OpenID Connect Core §3.1.2.6), and
   * what Dex and LemonLDAP::NG say of a refresh token that is over.
   */
  const OVER = ['invalid_grant', 'interaction_required', 'login_required', 'consent_required', 'invalid_request']
  it.each(OVER)('ends the session when it answers %s', (error) =>
    loseSession(stage, 'token', json(400, JSON.stringify({ error }))),
  )
})

it.each(OIDC_PLACES)('calls that need the user’s own token get 503 while it fails at %s, and go on afterwards', async (place) => {
  try {
    const stage = await startOidc({ credential: 'identity_provider_token' })
    const { origin, client, proxy } = stage
    const tokens = await obtainTokens(origin, client, alice)
    expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
    later(2 * 3600)
    const fault = FAULTS['a page with status 502'] as Interference
    expect(await during(stage, place, fault, () => callMcp(`${origin}/mcp`, tokens.access_token))).toBe(503)
    await expectLine(stage, ({ path, status }) => path === '/mcp' && status !== 200, place)
    expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
    expect(proxy.log.records().filter(({ code }) => code !== undefined)).toHaveLength(1)
  } finally {
    await closeStages()
  }
})

it('no user waits for ever for a provider that does not answer, at any endpoint', { timeout: 60_000 }, async () => {
  const hang: Interference = () => {}
  const failUntilLetGo = async (tokens: Parameters<typeof failWith>[0], stage: Stage, place: Place) => {
    const held: ServerResponse[] = []
    const letGo = () => {
      for (const response of held) response.destroy()
    }
    await failWith(tokens, stage, place, (response) => void held.push(response), letGo)
  }
  try {
    await Promise.all(OIDC_PLACES.map(async (place) => failToSignIn(await startOidc(), place, hang)))
    const sessions = OIDC_PLACES.map(async (place) => {
      const stage = await startOidc()
      return { place, stage, tokens: await obtainTokens(stage.origin, stage.client, alice) }
    })
    const signedIn = await Promise.all(sessions)
    // The clock is everybody's.
    later(2 * 3600)
    await Promise.all(signedIn.map(({ tokens, stage, place }) => failUntilLetGo(tokens, stage, place)))
  } finally {
    await closeStages()
  }
})

describe.each(['token', 'userinfo'] as Place[])('a provider that speaks plain OAuth and answers nonsense at %s', (place) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startPlain()
  })
  afterAll(closeStages)

  it.each(Object.entries(FAULTS))('keeps no user from signing in later: %s', (_name, fault) => failToSignIn(stage, place, fault))
  it.each(Object.entries(FAULTS))('ends no session: %s', (_name, fault) => failToRefresh(stage, place, fault))
})

it('a provider that speaks plain OAuth, and names another user than before, ends the session', async () => {
  try {
    await loseSession(await startPlain(), 'userinfo', json(200, '{"id":1,"login":"alice"}'))
  } finally {
    await closeStages()
  }
})
