import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createIntrospectionPlan, createIssuerPlan } from '../../test/support/issuer-plan.ts'
import { expectRefused, verifyToken } from '../../test/support/refusal.ts'
import { audience } from '../../test/support/verifier.ts'
import type { IntrospectionPlan, IssuerPlan } from '../core/plan/issuer-plan.ts'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import { createTokenVerifier } from './token-verifier.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

interface Question {
  readonly form: URLSearchParams
  readonly headers: IncomingHttpHeaders
}

type Answer = (question: Question, response: ServerResponse) => void

/** An authorization server whose introspection endpoint answers as the test says. */
async function startServer(plan: Partial<IntrospectionPlan> = {}, issuerPlan: Partial<IssuerPlan> = {}) {
  const questions: Question[] = []
  const state: { answer: Answer } = { answer: (_, response) => sendJson(response, activeToken()) }
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/.well-known/'))
      return sendJson(response, { issuer, introspection_endpoint: `${issuer}/introspect` })
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const question = { form: new URLSearchParams(text), headers: request.headers }
      questions.push(question)
      state.answer(question, response)
    })
  })
  const issuer: string = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
  const clock = createFakeClock()
  const verifier = createTokenVerifier({
    issuers: [createIssuerPlan(issuer, { introspection: createIntrospectionPlan(plan), ...issuerPlan })],
    audiences: [audience],
    clock,
  })
  open.push(async () => {
    await verifier.close()
    await closeServer(server)
  })
  return { issuer, questions, state, clock, verifier }
}

function activeToken(differences: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    active: true,
    sub: 'alice',
    client_id: 'c1',
    scope: 'a b',
    aud: audience,
    exp: now + 3600,
    token_type: 'Bearer',
    ...differences,
  }
}

function sendJson(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}

describe('an opaque token', () => {
  it('is what the authorization server says it is', async () => {
    const { verifier, issuer, questions } = await startServer()
    const principal = await verifyToken(verifier, 'opaque-token.1')
    expect(principal).toMatchObject({ issuer, subject: 'alice', clientId: 'c1', assurance: 'audience' })
    expect([...principal.scopes]).toEqual(['a', 'b'])
    expect(Object.isFrozen(principal.claims)).toBe(true)
    expect(Object.fromEntries(questions[0]?.form ?? [])).toEqual({ token: 'opaque-token.1', token_type_hint: 'access_token' })
  })

  it('is invalid where no issuer is asked about such tokens', async () => {
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan('https://idp.example.com')],
      audiences: [audience],
    })
    expect(await expectRefused(verifier, 'opaque-token', 'token_invalid')).toContain('no issuer of this server has introspection')
  })

  it.each([['a\u0000'], ['a b'], ['ä'], ['a\r\n'], [''], ['\ud800']])(
    'of characters that tokens do not have is not asked about: %j',
    async (token) => {
      const { verifier, questions } = await startServer()
      await expectRefused(verifier, token, 'token_invalid')
      expect(questions).toEqual([])
    },
  )

  it('is not what a damaged JWT counts as', async () => {
    const { verifier, questions } = await startServer()
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    for (const token of [`${header}.e30.`, `${header}=.e30.x`, `${header}..x`])
      await expectRefused(verifier, token, 'token_invalid')
    expect(questions).toEqual([])
  })

  it('with two dots in it is asked about', async () => {
    const { verifier, questions } = await startServer()
    await verifyToken(verifier, 'v2.local.abc')
    await verifyToken(verifier, 'a.b.c.d.e')
    expect(questions).toHaveLength(2)
  })
})

describe('an answer', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['active as text', { active: 'true' }, 'token_invalid'],
    ['active as a number', { active: 1 }, 'token_invalid'],
    ['not active', { active: false }, 'token_invalid'],
    ['without active', { active: undefined }, 'token_invalid'],
    ['active, but over', { exp: 1 }, 'token_expired'],
    ['active, with an end that is no date', { exp: 'never' }, 'token_invalid'],
    ['active, but not yet', { nbf: 99_999_999_999 }, 'token_invalid'],
    ['active, for another audience', { aud: 'https://other.example' }, 'token_audience_mismatch'],
    ['active, for no audience', { aud: undefined }, 'token_audience_mismatch'],
    ['active, of another issuer', { iss: 'https://evil.example' }, 'token_issuer_unknown'],
    ['active, of an issuer that is no text', { iss: ['x'] }, 'token_issuer_unknown'],
    ['active, a refresh token', { token_type: 'refresh_token' }, 'token_type_wrong'],
    ['active, a refresh token of Hydra', { token_use: 'refresh_token' }, 'token_type_wrong'],
    ['active, a refresh token of Keycloak', { typ: 'Refresh' }, 'token_type_wrong'],
    ['active, a DPoP token', { token_type: 'DPoP' }, 'token_type_wrong'],
    ['active, bound to a key', { cnf: { jkt: 'x' } }, 'token_type_wrong'],
    [
      'active, with nothing but a client and an end (a refresh token)',
      { sub: undefined, scope: undefined, token_type: undefined },
      'token_type_wrong',
    ],
    ['active, the same in the words of another server', { sub: '', scope: '', token_type: null }, 'token_type_wrong'],
    ['active, an ID token', { token_type: undefined, scope: undefined, azp: audience, sid: 's' }, 'token_type_wrong'],
    ['active, with an end that is text of something else', { exp: '1e12' }, 'token_invalid'],
    ['active, but over, by a text', { exp: '1' }, 'token_expired'],
    ['active, from a time after it was issued', { iat: 1_000, nbf: 99_999_999_999 }, 'token_invalid'],
    ['active, of nobody', { sub: 'a\r\nb' }, 'token_invalid'],
  ])('%s: the token is refused', async (_, differences, code) => {
    const { verifier, state } = await startServer()
    state.answer = (_question, response) => sendJson(response, activeToken(differences))
    await expectRefused(verifier, 'opaque', code as 'token_invalid')
  })

  it.each<[string, Answer]>([
    ['500', (_, response) => response.writeHead(500).end()],
    ['401, since it does not know us', (_, response) => response.writeHead(401).end('{}')],
    ['HTML', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>')],
    [
      'a signed JWT',
      (_, response) => response.writeHead(200, { 'content-type': 'application/token-introspection+jwt' }).end('a.b.c'),
    ],
    ['half of it', (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"active":tr')],
    [
      'two answers',
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"active":false,"active":true}'),
    ],
    ['a list', (_, response) => sendJson(response, [activeToken()])],
    ['a redirect', (_, response) => response.writeHead(302, { location: 'https://evil.example/' }).end()],
    ['a cut connection', (_, response) => response.destroy()],
  ])('%s: nothing can be said of the token, and that is not its fault', async (_, answer) => {
    const { verifier, state, questions } = await startServer()
    state.answer = answer
    const error = await verifyToken(verifier, 'opaque').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'issuer_unavailable', retryAfter: 5 })
    state.answer = (_question, response) => sendJson(response, activeToken())
    await verifyToken(verifier, 'opaque')
    expect(questions).toHaveLength(2)
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['exp', { exp: null }, { subject: 'alice' }],
    ['exp as an empty text', { exp: '' }, { subject: 'alice' }],
    ['iat and nbf', { iat: null, nbf: null }, { subject: 'alice' }],
    ['sub', { sub: null }, { subject: undefined, clientId: 'c1' }],
    ['sub as an empty text', { sub: '' }, { subject: undefined, clientId: 'c1' }],
    ['token_type', { token_type: null }, { subject: 'alice' }],
    ['iss, client_id and cnf', { iss: null, client_id: null, azp: 'c2', cnf: null }, { clientId: 'c2' }],
    ['a time that is written as text', { exp: '4102444800', iat: '1700000000' }, { expiresAt: 4_102_444_800 }],
  ])('with null for what is optional says nothing of it: %s', async (_, differences, principal) => {
    const { verifier, state } = await startServer()
    state.answer = (_question, response) => sendJson(response, activeToken(differences))
    expect(await verifyToken(verifier, 'opaque')).toMatchObject(principal)
  })

  it('of a server whose clock is ahead counts: the token is active there', async () => {
    const { verifier, state, clock } = await startServer()
    const ahead = Math.floor(clock.wall() / 1000) + 90
    state.answer = (_question, response) => sendJson(response, activeToken({ iat: ahead, nbf: ahead, exp: ahead + 60 }))
    expect(await verifyToken(verifier, 'opaque')).toMatchObject({ subject: 'alice', expiresAt: ahead + 60 })
  })

  it('with an empty list for the audience leaves that to the next claim that is configured', async () => {
    const { verifier, state } = await startServer({}, { audienceClaims: ['aud', 'client_id'] })
    state.answer = (_question, response) => sendJson(response, activeToken({ aud: [], client_id: audience }))
    expect((await verifyToken(verifier, 'opaque')).assurance).toBe('audience')
    state.answer = (_question, response) => sendJson(response, activeToken({ aud: [], client_id: 'another' }))
    await expectRefused(verifier, 'another', 'token_audience_mismatch')
  })

  it('without an end holds for a day', async () => {
    const { verifier, state, clock } = await startServer()
    state.answer = (_question, response) => sendJson(response, activeToken({ exp: undefined }))
    const { expiresAt } = await verifyToken(verifier, 'opaque')
    expect(expiresAt).toBe(Math.floor(clock.wall() / 1000) + 86_400)
  })

  it('without an end is refused where lifetimes have a limit', async () => {
    const { verifier, state } = await startServer({}, { maxLifetimeSeconds: 3600 })
    state.answer = (_question, response) => sendJson(response, activeToken({ exp: undefined, iat: undefined }))
    await expectRefused(verifier, 'opaque', 'token_invalid')
  })

  it('may name the audience by the client where that is configured', async () => {
    const { verifier, state } = await startServer({}, { audienceClaims: ['client_id'] })
    state.answer = (_question, response) => sendJson(response, activeToken({ aud: undefined, client_id: audience }))
    expect((await verifyToken(verifier, 'opaque')).assurance).toBe('audience')
  })
})

describe('answers are kept', () => {
  it('for a while: then the token is asked about again', async () => {
    const { verifier, clock, questions, state } = await startServer({ cacheSeconds: 60 })
    const principal = await verifyToken(verifier, 'opaque')
    clock.advance(59_999)
    expect(verifier.verify('opaque')).toBe(principal)
    state.answer = (_, response) => sendJson(response, { active: false })
    clock.advance(1)
    await expectRefused(verifier, 'opaque', 'token_invalid')
    expect(questions).toHaveLength(2)
  })

  it('never beyond the end of the token', async () => {
    const { verifier, clock, questions, state } = await startServer({ cacheSeconds: 3600 }, { clockToleranceSeconds: 0 })
    state.answer = (_, response) => sendJson(response, activeToken({ exp: Math.floor(clock.wall() / 1000) + 10 }))
    await verifyToken(verifier, 'opaque')
    clock.advance(11_000)
    state.answer = (_, response) => sendJson(response, { active: false })
    await expectRefused(verifier, 'opaque', 'token_invalid')
    expect(questions).toHaveLength(2)
  })

  it('not at all where that is configured', async () => {
    const { verifier, questions } = await startServer({ cacheSeconds: 0, negativeCacheSeconds: 0 })
    await verifyToken(verifier, 'opaque')
    await verifyToken(verifier, 'opaque')
    expect(questions).toHaveLength(2)
  })

  it('also when the token is not active, for as long as configured', async () => {
    const { verifier, clock, questions, state } = await startServer({ negativeCacheSeconds: 10 })
    state.answer = (_, response) => sendJson(response, { active: false })
    for (let times = 0; times < 3; times++) await expectRefused(verifier, 'opaque', 'token_invalid')
    expect(questions).toHaveLength(1)
    clock.advance(10_000)
    state.answer = (_, response) => sendJson(response, activeToken())
    await verifyToken(verifier, 'opaque')
    expect(questions).toHaveLength(2)
  })

  it('by token: many questions about one are one, about others are others', async () => {
    const { verifier, questions } = await startServer()
    const tokens = Array.from({ length: 60 }, (_, index) => `opaque-${index % 3}`)
    await Promise.all(tokens.map((token) => verifyToken(verifier, token)))
    expect(questions.map(({ form }) => form.get('token')).sort()).toEqual(['opaque-0', 'opaque-1', 'opaque-2'])
  })
})

describe('questions', () => {
  it('are so many at once, and no more; those who come too late are told to come again', async () => {
    const { verifier, questions, state } = await startServer()
    const held: (() => void)[] = []
    state.answer = (_, response) => void held.push(() => sendJson(response, activeToken()))
    const answers = Array.from({ length: 1040 }, (_, index) =>
      verifyToken(verifier, `opaque-${index}`).then(
        () => 'ok',
        (error) => error.code,
      ),
    )
    await vi.waitFor(() => expect(questions).toHaveLength(32))
    const refused = await Promise.all(answers.slice(1032))
    expect(new Set(refused)).toEqual(new Set(['issuer_unavailable']))
    expect(questions).toHaveLength(32)
    state.answer = (_, response) => sendJson(response, activeToken())
    for (const release of held) release()
    expect(new Set(await Promise.all(answers.slice(0, 1032)))).toEqual(new Set(['ok']))
  })

  it('about tokens of one client network wait behind those of others, and what was active before goes first', async () => {
    const { verifier, state, questions, clock } = await startServer()
    await verifyToken(verifier, 'known')
    clock.advance(61_000)
    const open: (() => void)[] = []
    state.answer = ({ form }, response) =>
      open.push(() => sendJson(response, form.get('token')?.startsWith('random') ? { active: false } : activeToken()))
    const flood = Array.from({ length: 500 }, (_, index) => Promise.resolve(verifier.verify(`random-${index}`, '192.0.2.66/32')))
    for (const one of flood) one.catch(() => {})
    const fresh = verifier.verify('fresh', '203.0.113.5/32')
    const known = verifier.verify('known', '192.0.2.66/32')
    await vi.waitFor(() => expect(open).toHaveLength(32))
    for (const answer of open.splice(0, 3)) answer()
    await vi.waitFor(() => expect(open).toHaveLength(32))
    const asked = questions.slice(33).map(({ form }) => form.get('token'))
    expect(asked).toHaveLength(3)
    expect(asked[0]).toBe('known')
    expect(asked).toContain('fresh')
    state.answer = (_, response) => sendJson(response, { active: false })
    for (const answer of open.splice(0)) answer()
    await Promise.all([fresh, known])
    await Promise.allSettled(flood)
  })

  it('go to each issuer in turn until one knows the token', async () => {
    const [one, other] = [await startServer(), await startServer()]
    one.state.answer = (_, response) => sendJson(response, { active: false })
    const plan = (issuer: string) => createIssuerPlan(issuer, { introspection: createIntrospectionPlan() })
    const verifier = createTokenVerifier({
      issuers: [plan(one.issuer), plan(other.issuer)],
      audiences: [audience],
    })
    expect((await verifyToken(verifier, 'opaque')).issuer).toBe(other.issuer)
    // One that cannot be asked doesn't stand in the way of one that knows; but if none does, nobody can say that it is invalid.
    one.state.answer = (_, response) => response.writeHead(500).end()
    expect((await verifyToken(verifier, 'opaque-2')).issuer).toBe(other.issuer)
    other.state.answer = (_, response) => sendJson(response, { active: false })
    await expectRefused(verifier, 'opaque-3', 'issuer_unavailable')
    await verifier.close()
  })

  it('go where the configuration says, if it does', async () => {
    const { issuer, questions } = await startServer()
    const introspection = createIntrospectionPlan({ endpoint: `${issuer}/elsewhere` })
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan('https://idp.invalid', { introspection })],
      audiences: [audience],
    })
    expect((await verifyToken(verifier, 'opaque')).issuer).toBe('https://idp.invalid')
    expect(questions).toHaveLength(1)
    await verifier.close()
  })

  it('show who asks by secret, each half encoded (RFC 6749 §2.3.1)', async () => {
    const { verifier, questions } = await startServer({
      clientId: 'a:b c',
      clientAuthentication: { method: 'client_secret_basic', secret: 'p%ä:+ &' },
    })
    await verifyToken(verifier, 'opaque')
    const [scheme, credentials = ''] = questions[0]?.headers.authorization?.split(' ') ?? []
    expect(scheme).toBe('Basic')
    expect(Buffer.from(credentials, 'base64').toString()).toBe('a%3Ab+c:p%25%C3%A4%3A%2B+%26')
  })

  it('show who asks by secret in the form', async () => {
    const { verifier, questions } = await startServer({ clientAuthentication: { method: 'client_secret_post', secret: 's&=+' } })
    await verifyToken(verifier, 'opaque')
    const { form, headers } = questions[0] as Question
    expect(form.get('client_id')).toBe('proxy')
    expect(form.get('client_secret')).toBe('s&=+')
    expect(headers.authorization).toBeUndefined()
  })

  it('authenticate with an assertion that is bound to this client and single-use (RFC 7523)', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const { verifier, questions, issuer } = await startServer({
      clientAuthentication: { method: 'private_key_jwt', privateKey: pem, algorithm: 'ES256', keyId: 'key-7' },
    })
    await verifyToken(verifier, 'opaque-1')
    await verifyToken(verifier, 'opaque-2')
    const assertions = questions.map(({ form }) => form.get('client_assertion') ?? '')
    const { payload } = await jwtVerify(assertions[0] ?? '', publicKey, { audience: issuer, issuer: 'proxy', subject: 'proxy' })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
    expect(decodeProtectedHeader(assertions[0] ?? '')).toEqual({ alg: 'ES256', kid: 'key-7' })
    const other = await jwtVerify(assertions[1] ?? '', publicKey)
    expect(other.payload.jti).not.toBe(payload.jti)
    expect(questions[0]?.form.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  })

  it('never show a secret or a token in what the operator is told', async () => {
    const { verifier, state } = await startServer()
    state.answer = (_, response) => response.writeHead(500).end()
    const reason = await expectRefused(verifier, 'opaque-token-that-is-secret', 'issuer_unavailable')
    expect(reason).not.toMatch(/s3cr3t|opaque-token-that-is-secret|Basic/)
  })
})

describe('an issuer of opaque tokens', () => {
  it('needs no keys to be ready, and is not asked for any', async () => {
    const { verifier, questions } = await startServer()
    verifier.warm()
    expect(verifier.isReady()).toBe(true)
    await verifyToken(verifier, 'opaque')
    expect(questions).toHaveLength(1)
  })
})
