import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  readJson,
  readRefresh,
  refresh,
  sendConsent,
} from '../support/broker-client.ts'
import { BROKER_CLIENT, type BrokerStage, type BrokerStageOptions, startBrokerStage } from '../support/broker-stage.ts'

const [alice, bob] = SAMPLE_USERS

let stage: BrokerStage | undefined
const servers: Server[] = []
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  await Promise.all(servers.splice(0).map(closeServer))
  stage = undefined
})

async function start(options: BrokerStageOptions = {}): Promise<BrokerStage> {
  stage = await startBrokerStage(options)
  return stage
}

/** A provider whose tokens last a minute, so that a minute later it must be asked again. */
const SHORT = { identityProvider: { accessTokenSeconds: 60, clients: [BROKER_CLIENT] } }
const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

describe('the session with the identity provider', () => {
  it('is refreshed silently, once for everybody who waits', async () => {
    const { proxy, url } = await start(SHORT)
    const client = await createRawClient(proxy.origin)
    const first = await obtainTokens(proxy.origin, client, alice)
    const second = await obtainTokens(proxy.origin, client, alice)
    later(120)
    const answers = await Promise.all([
      refresh(proxy.origin, client, first.refresh_token),
      refresh(proxy.origin, client, second.refresh_token),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(await callMcp(url, (await readJson(answers[0] as Response)).access_token)).toBe(200)
  })

  it('ends ours when the provider ends it: refreshing fails, and tokens that are out stop working', async () => {
    const { proxy, url, identityProvider } = await start(SHORT)
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    later(120)
    identityProvider.forget()
    const answer = await refresh(proxy.origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
    expect(await callMcp(url, tokens.access_token)).toBe(401)
    // The user signs in again, and that is all.
    expect((await obtainTokens(proxy.origin, client, alice)).scope).toBe('mcp:tools')
  })

  it('goes on while the provider is down for a while: the refresh token stays good', async () => {
    const { proxy, identityProvider } = await start(SHORT)
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    later(120)
    const restart = await identityProvider.pause()
    const answer = await refresh(proxy.origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([503, { error: 'temporarily_unavailable' }])
    await restart()
    expect((await refresh(proxy.origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it('survives a new key of the provider under the id of the last', async () => {
    const { proxy, identityProvider } = await start(SHORT)
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    await identityProvider.rotateKeys({ keepKid: true })
    later(120)
    expect((await refresh(proxy.origin, client, tokens.refresh_token)).status).toBe(200)
    expect((await obtainTokens(proxy.origin, client, bob)).scope).toBe('mcp:tools')
  })

  it('survives new keys of the provider', async () => {
    const { proxy, identityProvider } = await start(SHORT)
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    await identityProvider.rotateKeys({ dropOld: true })
    later(120)
    expect((await refresh(proxy.origin, client, tokens.refresh_token)).status).toBe(200)
    expect((await obtainTokens(proxy.origin, client, bob)).scope).toBe('mcp:tools')
  })
})

describe('an identity provider that does not help', () => {
  /** Clicks "allow", and gives the page that comes then. */
  async function allow(origin: string): Promise<Response> {
    const client = await createRawClient(origin)
    const browser = createBrowser()
    return sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url))
  }

  async function startNonsense(answer: (path: string) => [status: number, type: string, body: string]): Promise<string> {
    const server = createServer((request, response) => {
      const [status, type, body] = answer(request.url ?? '')
      response.writeHead(status, { 'content-type': type }).end(body)
    })
    servers.push(server)
    await listenOnLoopback(server, 0)
    return `http://localhost:${(server.address() as AddressInfo).port}`
  }

  it.each([
    ['is down', undefined],
    ['answers with failures', () => [500, 'application/json', '{}']],
    ['answers nonsense', () => [200, 'application/json', '{"issuer":"x"}']],
    ['answers HTML', () => [200, 'text/html', '<h1>Hello</h1>']],
    [
      'is another',
      () => [200, 'application/json', '{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/a"}'],
    ],
  ] as [string, ((path: string) => [number, string, string]) | undefined][])(
    'leads to a page that says so and how to go on, when it %s',
    async (_name, answer) => {
      const issuer = answer === undefined ? 'http://localhost:1' : await startNonsense(answer)
      const { proxy } = await start({ provider: { issuer } })
      const response = await allow(proxy.origin)
      expect([400, 503]).toContain(response.status)
      const html = await response.text()
      expect(html).toContain('request id')
      expect(html).toContain('Go back to the application')
      const requestId = /request id: <code>([^<]+)</.exec(html)?.[1]
      expect(response.headers.get('x-request-id')).toBe(requestId)
      expect(await proxy.log.waitFor(({ request_id: id }) => id === requestId)).toMatchObject({
        path: expect.stringMatching(/^\/sign-in\//),
      })
    },
  )

  it('leads to that page when it never answers, too: no user waits for ever', async () => {
    const asked: string[] = []
    const server = createServer((request) => asked.push(request.url ?? ''))
    servers.push(server)
    const issuer = `http://localhost:${await listenOnLoopback(server, 0)}`
    const { proxy } = await start({ provider: { issuer } })
    const response = await allow(proxy.origin)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('Signing in is not possible right now')
    expect(asked.length).toBeGreaterThan(0)
    server.closeAllConnections()
  })

  it('lets the user go back to the application, which is told', async () => {
    const { proxy } = await start({ provider: { issuer: 'http://localhost:1' } })
    const client = await createRawClient(proxy.origin)
    const browser = createBrowser()
    const html = await (
      await sendConsent(browser, await openConsentPage(browser, createRequest(proxy.origin, client).url))
    ).text()
    const back = readLink(html, 'Go back to the application')
    const location = new URL((await browser.open(back)).headers.get('location') ?? '')
    expect(Object.fromEntries(location.searchParams)).toMatchObject({ error: 'temporarily_unavailable', iss: proxy.origin })
  })
})

function readLink(html: string, label: string): string {
  return (
    new RegExp(`<a href="([^"]+)">${label}`)
      .exec(html)?.[1]
      ?.replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code))) ?? ''
  )
}

describe('who may sign in', () => {
  async function trySignIn({ proxy }: BrokerStage, user: typeof alice): Promise<Response> {
    const client = await createRawClient(proxy.origin)
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(proxy.origin, client).url)
    const onwards = readRefresh(await (await sendConsent(browser, page)).text())
    return browser.open(await signIn(onwards, user))
  }

  it.each([
    ['email domain', { claim: 'email_domain', values: ['EXAMPLE.com'] }, 200],
    ['another email domain', { claim: 'email_domain', values: ['ample.com', 'mail.example.com'] }, 403],
    ['group', { claim: 'groups', values: ['admins', 'staff'] }, 200],
    ['a group of others', { claim: 'groups', values: ['admins'] }, 403],
    ['claim', { claim: 'name', values: ['Alice'] }, 200],
    ['a claim that is not there', { claim: 'constructor', values: ['Alice'] }, 403],
  ])('is decided by %s', async (_name, rule, status) => {
    const response = await trySignIn(await start({ provider: { allow: [rule] } }), alice)
    expect(response.status).toBe(status)
    if (status === 403) expect(await response.text()).toMatch(/This account has no access[\s\S]*Sign in with another account/)
  })

  it('is in the log: which condition is not met, and why, but nothing that the provider said of the user', async () => {
    const users = [{ ...alice, claims: { ...alice.claims, email_verified: false } }]
    const allow = [
      { claim: 'email_domain', values: ['example.com'] },
      { claim: 'groups', values: ['admins'] },
      { claim: 'department', values: ['tools'] },
    ]
    const stage = await start({ identityProvider: { clients: [BROKER_CLIENT], users }, provider: { allow } })
    expect((await trySignIn(stage, alice)).status).toBe(403)
    const denied = stage.proxy.log.records().filter(({ code }) => code === 'sign_in_denied')
    expect(denied).toMatchObject([
      { cause: expect.stringMatching(/^subject ".+": allow, email_domain: the email is not verified/) },
    ])
    expect(denied[0]?.cause).toMatch(/; groups: another value; department: there is no such claim$/)
    for (const told of ['alice@example.com', 'staff']) expect(stage.proxy.log.text()).not.toContain(told)
  })

  it('does not count an unverified email address', async () => {
    const users = [{ ...alice, claims: { ...alice.claims, email_verified: false } }]
    const options = {
      identityProvider: { clients: [BROKER_CLIENT], users },
      provider: { allow: [{ claim: 'email_domain', values: ['example.com'] }] },
    }
    expect((await trySignIn(await start(options), alice)).status).toBe(403)
  })

  it('is decided by scopes too: without a single one that was asked for there is nothing to sign in for', async () => {
    const stage = await start({ provider: { grant: [{ claim: 'groups', values: ['admins'], scopes: ['mcp:tools'] }] } })
    expect((await trySignIn(stage, alice)).status).toBe(403)
    const denied = stage.proxy.log.records().filter(({ code }) => code === 'sign_in_denied')
    expect(denied).toMatchObject([{ cause: expect.stringMatching(/grant, none of the scopes mcp:tools$/) }])
  })
})

describe('the token of the identity provider', () => {
  it('goes to the MCP server where that is configured, fresh, and never to the client', async () => {
    const seen: (string | undefined)[] = []
    const upstream = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    servers.push(upstream)
    const port = await listenOnLoopback(upstream, 0)
    const server = {
      name: 'x',
      path: '/mcp',
      upstream: `http://localhost:${port}/mcp`,
      credential: 'identity_provider_token' as const,
    }
    const { proxy, url } = await start({ ...SHORT, servers: () => [server] })
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    later(120)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    const [first, second] = seen
    expect(first).toMatch(/^Bearer [\w-]+/)
    expect(second).toMatch(/^Bearer [\w-]+/)
    expect(second).not.toBe(first)
    for (const own of [tokens.access_token, tokens.refresh_token]) expect(seen.join()).not.toContain(own)
    expect(proxy.log.text()).not.toContain(first?.slice('Bearer '.length))
  })
})

describe('a provider that speaks plain OAuth', () => {
  it('signs users in by the claim that identifies them', async () => {
    const identityProvider = await startAuthorizationServer({
      clients: [{ ...BROKER_CLIENT, token_endpoint_auth_method: 'client_secret_post' }],
    })
    try {
      const oauth = {
        authorization_endpoint: `${identityProvider.issuer}/authorize`,
        token_endpoint: `${identityProvider.issuer}/token`,
        userinfo_endpoint: `${identityProvider.issuer}/userinfo`,
        subject_claim: 'email',
      }
      const { proxy, url } = await start({ provider: { issuer: undefined, oauth, scopes: ['openid', 'email'] } })
      const tokens = await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
      expect(JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString()).sub).toBe(
        'alice@example.com',
      )
      expect(await callMcp(url, tokens.access_token)).toBe(200)
    } finally {
      await (identityProvider as AuthorizationServer).close()
    }
  })
})
