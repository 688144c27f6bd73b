// Tokens that are fetched for one caller must never reach an MCP server for another, and nothing of them may show.
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { Principal } from '../../src/core/principal.ts'
import { createDelegation } from '../../src/delegation/delegation.ts'
import { createRequest, sendMcp } from '../support/mcp-requests.ts'
import { startTestProxy } from '../support/proxy.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { issueToken, refuseToken, startTokenServer } from '../support/token-server.ts'
import { startIssuer } from '../support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const SECRET = 'secret-of-the-proxy-at-the-token-server'

function createPrincipal(subject: string, claims: object = {}): Principal {
  const expiresAt = Math.floor(Date.now() / 1000) + 3600
  const scopes = new Set(['files'])
  const common = {
    issuer: 'https://idp.example.com',
    subject,
    clientId: 'app',
    scopes,
    groups: [],
    assurance: 'audience' as const,
  }
  return { ...common, expiresAt, acceptedUntil: expiresAt, claims: { sub: subject, ...claims } }
}

/** A delegation at a real token server, which names in each token whose it is. */
async function startDelegation(lifetime = () => 3600) {
  const server = await startTokenServer()
  open.push(server.close)
  let count = 0
  server.answerWith(async ({ form }) => {
    // Answers come in another order than they were asked for.
    if (count++ % 3 === 0) await new Promise(setImmediate)
    return issueToken(`${form.get('subject_token')}~${count}`, { expires_in: lifetime() })
  })
  const client = { clientId: 'p', clientAuthentication: { method: 'client_secret_basic', secret: SECRET } } as const
  const at = {
    issuer: server.issuer,
    metadataUrl: undefined,
    tokenEndpoint: undefined,
    allowPrivateNetwork: false,
    ca: undefined,
    egress: DIRECT,
  }
  const delegation = createDelegation({
    plan: {
      kind: 'token_exchange',
      subjectTokenType: 'access_token',
      audiences: [],
      resources: [],
      scopes: [],
      server: { ...at, ...client },
    },
    clock: systemClock,
    findSubject: async ({ token }) => token,
    onIssued: () => undefined,
  })
  open.push(delegation.close)
  return { delegation, server }
}

describe('a token that was issued for a caller', () => {
  it('reaches no other user in 100,000 interleaved calls of 50 users, whose tokens end, are refused and are fetched again', async () => {
    const { delegation, server } = await startDelegation(() => (Math.random() < 0.3 ? 0 : 3600))
    const users = Array.from({ length: 50 }, (_, index) => `user-${index}`)
    const principals = users.map((user) => createPrincipal(user))
    let wrong = 0
    let done = 0
    const work = async (seed: number): Promise<void> => {
      for (let index = 0; index < 1000; index++) {
        const at = (seed * 31 + index * 17) % users.length
        const [token, principal] = [users[at] ?? '', principals[at] as Principal]
        if (index % 97 === 0) delegation.forget({ principal, token })
        // Every third time as if the token had been verified anew.
        const asked = index % 3 === 0 ? { ...principal } : principal
        const found = await delegation.find({ principal: asked, token })
        done += 1
        if (found.split('~')[0] !== token) wrong += 1
      }
    }
    await Promise.all(Array.from({ length: 100 }, (_, seed) => work(seed)))
    expect({ done, wrong }).toEqual({ done: 100_000, wrong: 0 })
    expect(server.requests.length).toBeGreaterThan(users.length)
  })

  it.each<[string, Principal, Principal]>([
    [
      'of another issuer with the same subject',
      createPrincipal('alice'),
      { ...createPrincipal('alice'), issuer: 'https://other.example.com' },
    ],
    ['of another client', createPrincipal('alice'), { ...createPrincipal('alice'), clientId: 'other' }],
    ['with fewer scopes', createPrincipal('alice'), { ...createPrincipal('alice'), scopes: new Set() }],
    ['in another session', createPrincipal('alice', { sid: '1' }), createPrincipal('alice', { sid: '2' })],
    ['who acts for the user', createPrincipal('alice'), createPrincipal('alice', { act: { sub: 'robot' } })],
    ['who has no subject', { ...createPrincipal('alice'), subject: undefined }, createPrincipal('alice')],
    ['with other groups', createPrincipal('alice', { groups: ['a', 'b'] }), createPrincipal('alice', { groups: ['a b'] })],
  ])('is not used for a caller %s', async (_, one, other) => {
    const { delegation } = await startDelegation()
    const first = await delegation.find({ principal: one, token: 'first' })
    expect(await delegation.find({ principal: other, token: 'second' })).toMatch(/^second~/)
    expect(await delegation.find({ principal: one, token: 'first' })).toBe(first)
  })

  it('is not used for another token that names no user either, and is forgotten without that one', async () => {
    const { delegation } = await startDelegation()
    const nameless = { ...createPrincipal('', { sub: undefined }), subject: undefined }
    const [one, other] = [
      { principal: nameless, token: 'first' },
      { principal: { ...nameless }, token: 'second' },
    ]
    const first = await delegation.find(one)
    const second = await delegation.find(other)
    expect(second).toMatch(/^second~/)
    expect(await delegation.find({ ...one, principal: nameless })).toBe(first)
    delegation.forget(one)
    expect(await delegation.find(other)).toBe(second)
    expect(await delegation.find(one)).not.toBe(first)
    // The very same object, in case that one is kept for several tokens.
    expect(await delegation.find({ principal: nameless, token: 'third' })).toMatch(/^third~/)
  })

  it('is not used beyond the end of the caller’s own', async () => {
    const { delegation } = await startDelegation()
    const over = { ...createPrincipal('alice'), expiresAt: Math.floor(Date.now() / 1000) - 1 }
    const first = await delegation.find({ principal: over, token: 'alice' })
    expect(await delegation.find({ principal: { ...over }, token: 'alice' })).not.toBe(first)
  })

  it('of a user who is refused does not let another one in, nor the other way round', async () => {
    const { delegation, server } = await startDelegation()
    server.answerWith(({ form }, response) =>
      form.get('subject_token') === 'mallory'
        ? refuseToken(response, 'access_denied')
        : issueToken(form.get('subject_token') ?? ''),
    )
    const asked = Array.from({ length: 200 }, (_, index) => {
      const token = index % 2 === 0 ? 'alice' : 'mallory'
      return delegation.find({ principal: createPrincipal(token), token }).catch(({ code }) => code)
    })
    expect([...new Set(await Promise.all(asked))].toSorted()).toEqual(['alice', 'upstream_token_refused'])
  })
})

/** A proxy that exchanges the tokens of its callers at a token server. */
async function startExchangingProxy() {
  const [issuer, server, upstream] = await Promise.all([startIssuer(), startTokenServer(), startRecordingUpstream()])
  const credential = {
    kind: 'token_exchange',
    issuer: server.issuer,
    client_id: 'p',
    client_secret: { env: 'CLIENT_SECRET' },
  } as const
  const servers = [{ path: '/mcp', upstream: `${upstream.origin}/mcp`, credential }]
  const proxy = await startTestProxy({ issuers: [issuer.issuer], servers }, { CLIENT_SECRET: SECRET })
  open.push(server.close, upstream.close, issuer.close, () => proxy.close())
  const call = (user: string) => sendMcp(`${proxy.origin}/mcp`, { user, body: createRequest('ping', {}, 1) })
  const mint = (claims: Readonly<Record<string, unknown>>) => issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, ...claims } })
  return { proxy, server, upstream, mint, call }
}

describe('two tokens of one client that name no user', () => {
  it('get a token for the MCP server each, and one that is refused there is forgotten alone', async () => {
    const { call, mint, server, upstream } = await startExchangingProxy()
    let count = 0
    server.answerWith(({ form }) => issueToken(`${form.get('subject_token')?.slice(-20)}~${count++}`))
    const tokens = [await mint({ sub: undefined, jti: '1' }), await mint({ sub: undefined, jti: '2' })] as const
    const [one, other] = tokens.map((token, index) => `Bearer ${token.slice(-20)}~${index}`)
    for (const token of [...tokens, ...tokens]) expect((await call(token)).status).toBe(200)
    upstream.answerWith((_, response) => void response.writeHead(401).end())
    expect((await call(tokens[0])).status).toBe(502)
    for (const token of tokens) await call(token)
    const shown = upstream.requests.map(({ headers }) => headers.authorization)
    expect(shown).toEqual([one, other, one, other, one, one?.replace('~0', '~2'), other])
  })
})

describe('a hostile authorization server', () => {
  async function start() {
    const { mint, call, ...parts } = await startExchangingProxy()
    const user = await mint({ sub: 'alice' })
    return { ...parts, user, call: () => call(user) }
  }

  it('that repeats in its error what it was sent puts no token into log or answer', async () => {
    const { call, server, user, proxy } = await start()
    server.answerWith(({ form, headers }, response) =>
      refuseToken(response, 'invalid_grant', {
        error_description: `bad ${form.get('subject_token')} of ${headers.authorization}\n\u001b[31m`,
      }),
    )
    const response = await call()
    expect(await response.text()).not.toContain(user)
    const text = proxy.log.text()
    for (const secret of [user, SECRET, Buffer.from(`p:${SECRET}`).toString('base64'), '\\u001b'])
      expect(text).not.toContain(secret)
  })

  it('that sends more than anyone reads, or never ends, holds up no other call', async () => {
    const { call, server, upstream } = await start()
    server.answerWith((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(`{"access_token":"${'a'.repeat(600 * 1024)}`)
      return response
    })
    expect((await call()).status).toBe(503)
    server.answerWith((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{') && response)
    expect((await call()).status).toBe(503)
    expect(upstream.requests).toEqual([])
  })

  it('whose answer can be read in two ways is not read at all', async () => {
    const { call, server, upstream } = await start()
    server.answerWith((_, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end('{"access_token":"one","access_token":"two","token_type":"Bearer","expires_in":60}'),
    )
    expect((await call()).status).toBe(503)
    expect(upstream.requests).toEqual([])
  })
})
