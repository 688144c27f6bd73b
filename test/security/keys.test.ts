import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ProxyError } from '../../src/core/errors.ts'
import type { IssuerPlan } from '../../src/core/plan/issuer-plan.ts'
import { createIssuerPool } from '../../src/oauth/issuer.ts'
import { createTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createCertificate } from '../support/certificate.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { forge } from '../support/forge.ts'
import { createIssuerPlan } from '../support/issuer-plan.ts'
import { expectRefused, verifyToken } from '../support/refusal.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { audience, createClaims, startVerifier, type VerifierSetup } from '../support/verifier.ts'

const open: (() => Promise<unknown>)[] = []
const eventually = (check: () => unknown) => vi.waitFor(check, { interval: 2 })
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

interface Setup extends VerifierSetup {
  readonly clock: FakeClock
  /** How often the issuer was asked for its keys. */
  readonly fetches: () => number
  /** A token that outlives every test. */
  readonly mint: (header?: Record<string, unknown>) => Promise<string>
}

async function start(plan: Partial<IssuerPlan> = {}, issuerOptions: Parameters<typeof startIssuer>[0] = {}): Promise<Setup> {
  const clock = createFakeClock()
  const setup = await startVerifier(plan, { clock }, { algorithm: 'ES256', ...issuerOptions })
  open.push(() => setup.close())
  const { issuer } = setup
  const exp = Math.floor(Date.now() / 1000) + 10_000_000
  return { ...setup, clock, fetches: () => countFetches(issuer), mint: (header = {}) => issuer.mint({ claims: { exp }, header }) }
}

function countFetches(issuer: TestIssuer): number {
  return issuer.requests.filter((path) => path.endsWith('/jwks')).length
}

/** Verifies a token that isn't remembered, and shows that nobody was asked for anything. */
async function acceptWithoutFetch({ verifier, mint, issuer }: Setup): Promise<void> {
  const before = issuer.requests.length
  await verifyToken(verifier, await mint())
  expect(issuer.requests.length).toBe(before)
}

/** Time passes, and what that sets off comes to its end. */
async function pass({ clock }: Setup, milliseconds: number, isSettled: () => boolean | Promise<boolean>): Promise<void> {
  clock.advance(milliseconds)
  await eventually(async () => expect(await isSettled()).toBe(true))
}

const codeOf = (verifier: Setup['verifier'], token: string, asker?: string): Promise<string> =>
  (async () => verifier.verify(token, asker))().then(
    () => 'accepted',
    (error: unknown) => (error instanceof ProxyError ? error.code : String(error)),
  )

const forged = (issuer: TestIssuer, kid: string) =>
  forge({ header: { alg: 'RS256', kid }, payload: createClaims(issuer.issuer) }, 'x', 'HS256')

describe('keys are fetched', () => {
  it('once, when the first tokens come, however many come together', async () => {
    const setup = await start()
    expect(setup.issuer.requests).toEqual([])
    const tokens = await Promise.all(Array.from({ length: 20 }, () => setup.mint()))
    await Promise.all(Array.from({ length: 500 }, (_, index) => verifyToken(setup.verifier, tokens[index % 20] ?? '')))
    expect(setup.issuer.requests).toEqual(['/.well-known/oauth-authorization-server', '/jwks'])
  })

  it('once for all servers with that issuer', async () => {
    const issuer = await startIssuer()
    const pool = createIssuerPool()
    const options = { issuers: [createIssuerPlan(issuer.issuer)], audiences: [audience], pool }
    const verifiers = [createTokenVerifier(options), createTokenVerifier(options)]
    for (const verifier of verifiers) await verifyToken(verifier, await issuer.mint())
    expect(countFetches(issuer)).toBe(1)
    await pool.close()
    await issuer.close()
  })

  it('from where the configuration says, without asking for metadata', async () => {
    const issuer = await startIssuer()
    const setup = createTokenVerifier({
      issuers: [createIssuerPlan('https://unreachable.invalid', { jwksUri: issuer.jwksUri })],
      audiences: [audience],
    })
    await verifyToken(setup, await issuer.mint({ claims: { iss: 'https://unreachable.invalid' } }))
    expect(issuer.requests).toEqual(['/jwks'])
    await setup.close()
    await issuer.close()
  })

  it.each(['oauth', 'openid-inserted', 'openid-appended'] as const)(
    'from where metadata says, found the %s way',
    async (discovery) => {
      const setup = await start({}, { path: '/tenant', discovery })
      await verifyToken(setup.verifier, await setup.mint())
    },
  )

  it('before they are needed, where that is asked for', async () => {
    const setup = await start()
    expect(setup.verifier.isReady()).toBe(false)
    setup.verifier.warm()
    await eventually(() => expect(setup.verifier.isReady()).toBe(true))
    await acceptWithoutFetch(setup)
  })

  it('no more after the end', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.verifier.close()
    setup.clock.advance(86_400_000)
    expect(setup.fetches()).toBe(1)
  })
})

describe('a new key', () => {
  it('is accepted with the first token that names it', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    await verifyToken(setup.verifier, await setup.mint())
    await verifyToken(setup.verifier, await setup.mint())
    expect(setup.fetches()).toBe(2)
  })

  it('is accepted with many first tokens for one fetch', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => setup.mint()))
    await Promise.all(tokens.map((token) => verifyToken(setup.verifier, token)))
    expect(setup.fetches()).toBe(2)
  })

  it('that is followed by another within 30 s has to wait, at most until the keys are fetched in any case', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    const token = await setup.mint()
    await expectRefused(setup.verifier, token, 'issuer_unavailable')
    setup.clock.advance(29_999)
    await expectRefused(setup.verifier, token, 'issuer_unavailable')
    setup.clock.advance(1)
    await verifyToken(setup.verifier, token)
  })

  it('that is followed by another does not make up keys: once the issuer has said so, they are unknown', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    await verifyToken(setup.verifier, await setup.mint())
    expect(await codeOf(setup.verifier, forged(setup.issuer, 'made-up'))).toBe('issuer_unavailable')
    setup.clock.advance(30_000)
    expect(await codeOf(setup.verifier, forged(setup.issuer, 'made-up'))).toBe('token_invalid')
    expect(await codeOf(setup.verifier, forged(setup.issuer, 'another'))).toBe('token_invalid')
  })

  it('is known after the next refresh without a request having to wait', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate()
    await pass(setup, 270_000, async () => (await codeOf(setup.verifier, await setup.mint())) === 'accepted')
    expect(setup.fetches()).toBe(2)
  })
})

describe('a key that is withdrawn', () => {
  it('is refused within five minutes, also for tokens that were verified before', async () => {
    const setup = await start()
    const [remembered, other] = [await setup.mint(), await setup.mint()]
    await verifyToken(setup.verifier, remembered)
    await setup.issuer.rotate({ dropOld: true })
    await verifyToken(setup.verifier, remembered)
    await pass(setup, 299_000, async () => (await codeOf(setup.verifier, remembered)) === 'token_invalid')
    await expectRefused(setup.verifier, other, 'token_invalid')
    await verifyToken(setup.verifier, await setup.mint())
  })

  it('is refused at once when a new one makes us ask', async () => {
    const setup = await start()
    const remembered = await setup.mint()
    await verifyToken(setup.verifier, remembered)
    await setup.issuer.rotate({ dropOld: true })
    await verifyToken(setup.verifier, await setup.mint())
    await expectRefused(setup.verifier, remembered, 'token_invalid')
  })

  it('with all the others: nothing can be checked any more', async () => {
    const server = await startKeyServer()
    const remembered = server.mint()
    await verifyToken(server.verifier, remembered)
    server.answer = (response) => sendJson(response, { keys: [] })
    server.clock.advance(270_000)
    await eventually(async () => expect(await codeOf(server.verifier, remembered)).toBe('issuer_unavailable'))
    expect(server.verifier.isReady()).toBe(false)
  })

  it('is not missed while an identical one stays under its name', async () => {
    const server = await startKeyServer()
    const remembered = server.mint()
    const principal = await verifyToken(server.verifier, remembered)
    server.answer = (response) => sendJson(response, { keys: [{ ...server.jwk, x5t: 'new' }] })
    server.clock.advance(270_000)
    await eventually(() => expect(server.asked).toBe(2))
    expect(server.verifier.verify(remembered)).toBe(principal)
  })
})

describe('a new key under the id of the last', () => {
  it('is accepted with the first token that it signed, for one fetch, and the last one is not any more', async () => {
    const setup = await start()
    const old = await setup.mint()
    await verifyToken(setup.verifier, old)
    await setup.issuer.rotate({ keepKid: true })
    const tokens = await Promise.all(Array.from({ length: 20 }, () => setup.mint()))
    await Promise.all(tokens.map((token) => verifyToken(setup.verifier, token)))
    expect(setup.fetches()).toBe(2)
    setup.clock.advance(30_000)
    await expectRefused(setup.verifier, old, 'token_invalid')
  })

  it('that is followed by another within 30 s has to wait: that is not the fault of its tokens', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    await setup.issuer.rotate({ keepKid: true })
    await verifyToken(setup.verifier, await setup.mint())
    setup.clock.advance(20_000)
    await setup.issuer.rotate({ keepKid: true })
    const token = await setup.mint()
    await expectRefused(setup.verifier, token, 'issuer_unavailable')
    setup.clock.advance(10_000)
    await verifyToken(setup.verifier, token)
    expect(setup.fetches()).toBe(3)
  })

  it('is not looked for more than once in 30 s, however many signatures are wrong', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    const wrong = async () => `${(await setup.mint()).replace(/[^.]+$/, '')}${Buffer.alloc(64, 7).toString('base64url')}`
    for (const token of await Promise.all(Array.from({ length: 50 }, wrong)))
      expect(await codeOf(setup.verifier, token)).toBe('token_invalid')
    expect(setup.fetches()).toBe(2)
    await acceptWithoutFetch(setup)
  })
})

describe('a flood of unknown key ids', () => {
  it('has the issuer asked once in 30 s, and delays no token whose key is known', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    const flood = async (name: string) => {
      const codes = await Promise.all(
        Array.from({ length: 1000 }, (_, index) => codeOf(setup.verifier, forged(setup.issuer, `${name}-${index}`))),
      )
      expect(new Set(codes)).toEqual(new Set(['token_invalid']))
    }
    await flood('a')
    await flood('b')
    expect(setup.fetches()).toBe(2)
    await acceptWithoutFetch(setup)
    setup.clock.advance(30_000)
    await flood('c')
    expect(setup.fetches()).toBe(3)
    await acceptWithoutFetch(setup)
  })

  it('of one network uses up no look of others: a new key is accepted with the first token that names it', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    for (let name = 0; name < 20; name++)
      expect(await codeOf(setup.verifier, forged(setup.issuer, `${name}`), 'stranger')).toBe('token_invalid')
    await setup.issuer.rotate()
    await setup.verifier.verify(await setup.mint(), 'user')
    expect(setup.fetches()).toBe(3)
  })

  it('of many networks has it asked eight times in 30 s, and then a token newer than the keys is not called invalid', async () => {
    const setup = await start({ clockToleranceSeconds: 10 })
    await verifyToken(setup.verifier, await setup.mint())
    for (let network = 0; network < 100; network++) {
      const code = await codeOf(setup.verifier, forged(setup.issuer, 'made-up'), `${network}`)
      expect(code).toBe(network < 8 ? 'token_invalid' : 'issuer_unavailable')
    }
    expect(setup.fetches()).toBe(9)
    await setup.issuer.rotate()
    setup.clock.advance(10_000)
    const token = await setup.mint()
    const error = await Promise.resolve(setup.verifier.verify(token, 'user')).catch((refusal: unknown) => refusal)
    expect(error).toMatchObject({ code: 'issuer_unavailable', retryAfter: 20 })
    // Nor that it may be valid where it is older than the keys, or of the future.
    const issued = (age: number) => {
      const iat = Math.floor(setup.clock.wall() / 1000) - age
      return forge({ header: { alg: 'RS256', kid: 'lost' }, payload: createClaims(setup.issuer.issuer, { iat }) }, 'x', 'HS256')
    }
    for (const [age, code] of [
      [19, 'issuer_unavailable'],
      [22, 'token_invalid'],
      [-9, 'issuer_unavailable'],
      [-12, 'token_invalid'],
    ] as const)
      expect([age, await codeOf(setup.verifier, issued(age), 'user')]).toEqual([age, code])
    setup.clock.advance(20_000)
    await setup.verifier.verify(token, 'user')
    expect(setup.fetches()).toBe(10)
  })

  it('just before a rotation costs no good token: a token that is newer than the keys has them fetched once more', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    expect(await codeOf(setup.verifier, forged(setup.issuer, 'stranger'))).toBe('token_invalid')
    await setup.issuer.rotate()
    setup.clock.advance(1)
    await verifyToken(setup.verifier, await setup.mint())
    expect(setup.fetches()).toBe(3)
  })

  it('that uses up that second look, too, has newer tokens answered with 503 once the keys are five seconds old, and older ones with 401', async () => {
    const setup = await start()
    const made = (age: number) => {
      const iat = Math.floor(setup.clock.wall() / 1000) - age
      return forge(
        { header: { alg: 'RS256', kid: 'made-up' }, payload: createClaims(setup.issuer.issuer, { iat }) },
        'x',
        'HS256',
      )
    }
    await verifyToken(setup.verifier, await setup.mint())
    for (const code of ['token_invalid', 'token_invalid', 'token_invalid', 'issuer_unavailable']) {
      expect(await codeOf(setup.verifier, made(0))).toBe(code)
      setup.clock.advance(3000)
    }
    expect(await codeOf(setup.verifier, made(60))).toBe('token_invalid')
    expect(setup.fetches()).toBe(3)
    await setup.issuer.rotate()
    const iat = Math.floor(setup.clock.wall() / 1000)
    const good = await setup.issuer.mint({ claims: { iat, exp: iat + 100_000 } })
    const error = await Promise.resolve(setup.verifier.verify(good)).catch((refusal: unknown) => refusal)
    expect(error).toMatchObject({ code: 'issuer_unavailable', retryAfter: 18 })
    setup.clock.advance(18_000)
    await verifyToken(setup.verifier, good)
    expect(setup.fetches()).toBe(4)
  })

  it('once in 30 s leaves the second look to those who need it', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    for (let i = 0; i < 10; i++) {
      expect(await codeOf(setup.verifier, forged(setup.issuer, `${i}`))).toBe('token_invalid')
      setup.clock.advance(30_000)
    }
    expect(await codeOf(setup.verifier, forged(setup.issuer, 'last'))).toBe('token_invalid')
    await setup.issuer.rotate()
    setup.clock.advance(5000)
    const iat = Math.floor(setup.clock.wall() / 1000)
    await verifyToken(setup.verifier, await setup.issuer.mint({ claims: { iat, exp: iat + 100_000 } }))
  })

  it('with wrong signatures of a known key is no different', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    const { kid } = setup.issuer.signingKey
    const wrong = () =>
      forge({ header: { alg: 'ES256', kid }, payload: createClaims(setup.issuer.issuer) }, createPair().privateKey, 'ES256')
    for (let network = 0; network < 20; network++)
      expect(await codeOf(setup.verifier, wrong(), `${network % 8}`)).toBe('token_invalid')
    expect(setup.fetches()).toBe(9)
    await setup.issuer.rotate({ keepKid: true })
    const token = await setup.mint()
    expect(await codeOf(setup.verifier, token, 'user')).toBe('issuer_unavailable')
    setup.clock.advance(30_000)
    expect(await codeOf(setup.verifier, token, 'user')).toBe('accepted')
  })

  it('with wrong signatures of a known key, in the network of its users, costs no token that a new key of that id signed', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    const { kid } = setup.issuer.signingKey
    const wrong = () => {
      const payload = createClaims(setup.issuer.issuer, { iat: Math.floor(setup.clock.wall() / 1000) })
      return forge({ header: { alg: 'ES256', kid }, payload }, createPair().privateKey, 'ES256')
    }
    expect(await codeOf(setup.verifier, wrong())).toBe('token_invalid')
    await setup.issuer.rotate({ keepKid: true })
    setup.clock.advance(1)
    await verifyToken(setup.verifier, await setup.mint())
    expect(setup.fetches()).toBe(3)
    // Another one uses up the second look, too.
    setup.clock.advance(6000)
    await setup.issuer.rotate({ keepKid: true })
    const iat = Math.floor(setup.clock.wall() / 1000)
    const good = await setup.issuer.mint({ claims: { iat, exp: iat + 100_000 } })
    expect(await codeOf(setup.verifier, good)).toBe('issuer_unavailable')
    setup.clock.advance(24_000)
    await verifyToken(setup.verifier, good)
  })

  it('before there are any keys has it asked no more often', async () => {
    const setup = await start()
    await Promise.all(Array.from({ length: 200 }, (_, index) => codeOf(setup.verifier, forged(setup.issuer, `${index}`))))
    expect(setup.fetches()).toBe(1)
    await acceptWithoutFetch(setup)
  })

  it('is refused at once, for a key id that is known with another algorithm', async () => {
    const setup = await start()
    await verifyToken(setup.verifier, await setup.mint())
    const { kid } = setup.issuer.signingKey
    const token = forge({ header: { alg: 'RS256', kid }, payload: createClaims(setup.issuer.issuer) }, 'x', 'HS256')
    await expectRefused(setup.verifier, token, 'token_invalid')
    expect(setup.fetches()).toBe(1)
  })
})

/** An issuer whose key endpoint answers as the test says. */
interface KeyServer {
  answer: (response: ServerResponse) => void
  asked: number
  readonly jwk: Record<string, unknown>
  readonly privateKey: KeyObject
  readonly clock: FakeClock
  readonly verifier: Setup['verifier']
  readonly issues: string[]
  mint(header?: Record<string, unknown>, key?: KeyObject): string
}

const ISSUER = 'https://idp.example.com'

/** Elliptic curves, since RSA keys take their time to make. */
const createPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

async function startKeyServer(plan: Partial<IssuerPlan> = {}): Promise<KeyServer> {
  const { publicKey, privateKey } = createPair()
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1', alg: 'ES256' }
  const listener: RequestListener = (_request, response) => {
    server.asked++
    server.answer(response)
  }
  const http = createServer(listener)
  const jwksUri = `http://127.0.0.1:${await listenOnLoopback(http, 0)}/keys`
  const clock = createFakeClock()
  const issues: string[] = []
  const verifier = createTokenVerifier({
    issuers: [createIssuerPlan(ISSUER, { jwksUri, ...plan })],
    audiences: [audience],
    clock,
    onIssue: (message) => issues.push(message),
  })
  const exp = Math.floor(Date.now() / 1000) + 10_000_000
  let count = 0
  const server: KeyServer = {
    answer: (response) => sendJson(response, { keys: [jwk] }),
    asked: 0,
    jwk,
    privateKey,
    clock,
    verifier,
    issues,
    mint: (header = {}, key = privateKey) =>
      forge(
        { header: { alg: 'ES256', kid: 'key-1', ...header }, payload: createClaims(ISSUER, { exp, jti: String(count++) }) },
        key,
        'ES256',
      ),
  }
  open.push(async () => {
    await verifier.close()
    await closeServer(http)
  })
  return server
}

function sendJson(response: ServerResponse, document: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document))
}

function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(text)
}

describe('an issuer that answers wrongly', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['500', (response) => response.writeHead(500).end()],
    ['502 with a page', (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')],
    ['304, which was not asked for', (response) => response.writeHead(304).end()],
    ['HTML', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hotel</h1>')],
    ['HTML that says it is JSON', (response) => sendText(response, '<h1>Hotel</h1>')],
    ['nothing', (response) => sendText(response, '')],
    ['{}', (response) => sendText(response, '{}')],
    ['keys null', (response) => sendText(response, '{"keys":null}')],
    ['keys as an object', (response) => sendText(response, '{"keys":{}}')],
    ['half of it', (response) => sendText(response, '{"keys":[{"kty":"RS')],
    ['a list', (response) => sendText(response, '[]')],
    ['keys under a prototype', (response) => sendText(response, '{"__proto__":{"keys":[]}}')],
    ['101 keys', (response) => sendJson(response, { keys: Array(101).fill({ kty: 'EC' }) })],
    ['600 KiB', (response) => sendText(response, `{"keys":[],"x":"${'x'.repeat(600 * 1024)}"}`)],
    ['a redirect', (response) => response.writeHead(302, { location: '/keys' }).end()],
    ['a cut connection', (response) => response.destroy()],
  ])('%s: the keys that are known stay in use, and the operator hears of it', async (_, answer) => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    server.answer = answer
    server.clock.advance(270_000)
    await eventually(() => expect(server.issues).toHaveLength(1))
    expect(server.issues[0]).toMatch(/^issuer https:\/\/idp\.example\.com: keys cannot be fetched: /)
    await verifyToken(server.verifier, server.mint())
    expect(server.verifier.isReady()).toBe(true)
  })

  it.each(['error', 'html', 'refuse', 'redirect'] as const)(
    '%s from the start: 503, and it comes back by itself in under 5 s',
    async (outage) => {
      const setup = await start()
      await setup.issuer.setOutage(outage)
      setup.verifier.warm()
      await eventually(() => expect(setup.issues).toHaveLength(1))
      expect(setup.verifier.isReady()).toBe(false)
      const token = await setup.mint()
      const error = await verifyToken(setup.verifier, token).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'issuer_unavailable', retryAfter: expect.any(Number) })
      expect((error as ProxyError).retryAfter).toBeLessThan(5)
      await setup.issuer.setOutage('none')
      await pass(setup, 2_000, () => setup.verifier.isReady())
      await verifyToken(setup.verifier, token)
    },
  )

  it('is asked again soon, then less and less, and never by requests that would only wait', async () => {
    const server = await startKeyServer()
    server.answer = (response) => response.writeHead(500).end()
    await expectRefused(server.verifier, server.mint(), 'issuer_unavailable')
    for (let request = 0; request < 50; request++) await expectRefused(server.verifier, server.mint(), 'issuer_unavailable')
    expect(server.asked).toBe(1)
    server.clock.advance(1_000)
    await eventually(() => expect(server.asked).toBe(2))
    await eventually(() => expect(server.clock.pending).toBe(1))
    server.clock.advance(1_999)
    expect(server.asked).toBe(2)
    server.clock.advance(1)
    await eventually(() => expect(server.asked).toBe(3))
  })

  it('and has no keys with us is asked again every other second, however long it was away', async () => {
    const server = await startKeyServer()
    server.answer = (response) => response.writeHead(500).end()
    await expectRefused(server.verifier, server.mint(), 'issuer_unavailable')
    for (let attempt = 2; attempt <= 10; attempt++) {
      server.clock.advance(2_000)
      await eventually(() => expect(server.asked).toBe(attempt))
      await eventually(() => expect(server.clock.pending).toBe(1))
    }
    server.answer = (response) => sendJson(response, { keys: [server.jwk] })
    server.clock.advance(2_000)
    await eventually(() => expect(server.verifier.isReady()).toBe(true))
  })

  it('is told to the operator once in a minute, however often it fails', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    server.answer = (response) => response.writeHead(500).end()
    const fail = async (delay: number) => {
      const before = server.asked
      server.clock.advance(delay)
      await eventually(() => expect(server.asked).toBe(before + 1))
      await eventually(() => expect(server.clock.pending).toBe(1))
    }
    for (const delay of [270_000, 1_000, 2_000, 4_000, 8_000, 16_000]) await fail(delay)
    expect(server.issues).toHaveLength(1)
    await fail(30_000)
    expect(server.issues).toHaveLength(2)
  })

  it('two tokens at once fail alike, and nothing breaks', async () => {
    const server = await startKeyServer()
    server.answer = (response) => response.destroy()
    const codes = await Promise.all([server.mint(), server.mint({ kid: 'other' })].map((token) => codeOf(server.verifier, token)))
    expect(codes).toEqual(['issuer_unavailable', 'issuer_unavailable'])
    server.answer = (response) => sendJson(response, { keys: [server.jwk] })
    server.clock.advance(1_000)
    await eventually(async () => expect(await codeOf(server.verifier, server.mint())).toBe('accepted'))
  })

  it('for an hour: every token with a known key passes, and the operator hears of it once a minute at most', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    server.answer = (response) => response.writeHead(503).end()
    for (let minute = 0; minute < 60; minute++) {
      const pending = server.asked
      server.clock.advance(60_000)
      const token = server.mint()
      await verifyToken(server.verifier, token)
      expect(server.verifier.verify(token)).not.toBeInstanceOf(Promise)
      if (minute >= 4) await eventually(() => expect(server.asked).toBeGreaterThan(pending))
      await eventually(() => expect(server.clock.pending).toBe(1))
    }
    expect(server.issues.length).toBeGreaterThan(10)
    expect(server.issues.length).toBeLessThanOrEqual(60)
  })

  it('for longer than stale keys may be used: 503, not 401, for remembered tokens, too', async () => {
    const server = await startKeyServer({ staleKeysSeconds: 3600 })
    const token = server.mint()
    await verifyToken(server.verifier, token)
    server.answer = (response) => response.writeHead(503).end()
    server.clock.advance(3_599_000)
    await verifyToken(server.verifier, token)
    await verifyToken(server.verifier, server.mint())
    server.clock.advance(1_000)
    await expectRefused(server.verifier, token, 'issuer_unavailable')
    await expectRefused(server.verifier, server.mint(), 'issuer_unavailable')
    expect(server.verifier.isReady()).toBe(false)
  })

  it('and no stale keys permitted: 503 from the moment they would have been refreshed', async () => {
    const server = await startKeyServer({ staleKeysSeconds: 0 })
    const token = server.mint()
    await verifyToken(server.verifier, token)
    server.answer = (response) => response.writeHead(503).end()
    server.clock.advance(299_999)
    await verifyToken(server.verifier, token)
    server.clock.advance(1)
    await expectRefused(server.verifier, token, 'issuer_unavailable')
  })

  it('keys are as old as they are, whatever the system clock says', async () => {
    const server = await startKeyServer({ staleKeysSeconds: 3600 })
    const token = server.mint()
    await verifyToken(server.verifier, token)
    server.answer = (response) => response.writeHead(503).end()
    server.clock.jump(100_000_000)
    server.clock.jump(-100_000_000 - 10_000)
    await verifyToken(server.verifier, token)
    server.clock.jump(-3_600_000)
    server.clock.advance(3_600_000)
    await expectRefused(server.verifier, token, 'issuer_unavailable')
  })

  it('has unknown keys answered with 503 while it cannot be asked about them, and known ones not at all affected', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    server.answer = (response) => response.writeHead(503).end()
    await expectRefused(server.verifier, server.mint({ kid: 'new' }), 'issuer_unavailable')
    await expectRefused(server.verifier, server.mint({ kid: 'newer' }), 'issuer_unavailable')
    expect(server.asked).toBe(2)
    await verifyToken(server.verifier, server.mint())
  })
})

describe('an issuer that hangs', () => {
  it('delays no token whose key is known, and others by no more than 5 s', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    server.answer = () => {}
    server.clock.advance(270_000)
    await eventually(() => expect(server.asked).toBe(2))
    await verifyToken(server.verifier, server.mint())
    const waiting = codeOf(server.verifier, server.mint({ kid: 'new' }))
    const isOver = await Promise.race([waiting.then(() => true), verifyToken(server.verifier, server.mint()).then(() => false)])
    expect(isOver).toBe(false)
    server.clock.advance(5_000)
    expect(await waiting).toBe('issuer_unavailable')
    expect(server.asked).toBe(2)
  })

  it('makes no token wait any more once one has waited in vain, in this fetch and the next ones, until one succeeds', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint())
    const held: ServerResponse[] = []
    server.answer = (response) => held.push(response)
    const waiting = codeOf(server.verifier, server.mint({ kid: 'new' }))
    await eventually(() => expect(server.asked).toBe(2))
    server.clock.advance(5000)
    expect(await waiting).toBe('issuer_unavailable')
    for (let i = 0; i < 3; i++) expect(await codeOf(server.verifier, server.mint({ kid: `${i}` }))).toBe('issuer_unavailable')
    held[0]?.destroy()
    await eventually(() => expect(server.clock.pending).toBe(1))
    server.clock.advance(30_000)
    await eventually(() => expect(server.asked).toBe(3))
    expect(await codeOf(server.verifier, server.mint({ kid: 'later' }))).toBe('issuer_unavailable')
    expect(server.asked).toBe(3)
    await verifyToken(server.verifier, server.mint())
  })

  it('from the start keeps everybody waiting for no more than 5 s', async () => {
    const server = await startKeyServer()
    server.answer = () => {}
    const waiting = [server.mint(), server.mint()].map((token) => codeOf(server.verifier, token))
    await eventually(() => expect(server.asked).toBe(1))
    server.clock.advance(5_000)
    expect(await Promise.all(waiting)).toEqual(['issuer_unavailable', 'issuer_unavailable'])
  })
})

describe('what the issuer says about keeping its keys', () => {
  it.each([
    ['max-age=0', 27_000],
    ['max-age=10', 27_000],
    ['public, max-age=60', 54_000],
    ['max-age="60"', 54_000],
    ['max-age=1000000000', 270_000],
    ['max-age=99999999999999999999', 270_000],
    ['s-maxage=10', 270_000],
    ['no-store', 270_000],
    ['max-age=-1', 270_000],
  ])('%s has them fetched anew after %i ms', async (cacheControl, delay) => {
    const server = await startKeyServer()
    server.answer = (response) => sendJson(response, { keys: [server.jwk] }, { 'cache-control': cacheControl })
    await verifyToken(server.verifier, server.mint())
    server.clock.advance(delay - 1)
    expect(server.asked).toBe(1)
    server.clock.advance(1)
    await eventually(() => expect(server.asked).toBe(2))
  })

  it('never keeps them longer than the configuration wants', async () => {
    const server = await startKeyServer({ refreshKeysSeconds: 10 })
    server.answer = (response) => sendJson(response, { keys: [server.jwk] }, { 'cache-control': 'max-age=3600' })
    await verifyToken(server.verifier, server.mint())
    server.clock.advance(9_000)
    await eventually(() => expect(server.asked).toBe(2))
  })
})

describe('a key set', () => {
  it('with keys that share their id: neither verifies anything', async () => {
    const server = await startKeyServer()
    const other = createPair()
    server.answer = (response) => {
      sendJson(response, {
        keys: [server.jwk, { ...other.publicKey.export({ format: 'jwk' }), kid: 'key-1' }, { ...server.jwk, kid: 'key-2' }],
      })
    }
    await expectRefused(server.verifier, server.mint(), 'token_invalid')
    await expectRefused(server.verifier, server.mint({}, other.privateKey), 'token_invalid')
    await verifyToken(server.verifier, server.mint({ kid: 'key-2' }))
    expect(server.issues.join()).toContain('several keys have this kid')
  })

  it('with several keys: a token without a kid finds none; with one that fits, it does', async () => {
    const server = await startKeyServer()
    await verifyToken(server.verifier, server.mint({ kid: undefined }))
    const other = await startKeyServer()
    other.answer = (response) => sendJson(response, { keys: [other.jwk, { ...server.jwk, kid: 'key-2' }] })
    await expectRefused(other.verifier, other.mint({ kid: undefined }), 'token_invalid')
    await verifyToken(other.verifier, other.mint())
  })

  it('of one issuer has nothing to do with that of another, though their ids are the same', async () => {
    const [one, other] = [await startKeyServer(), await startKeyServer()]
    await verifyToken(one.verifier, one.mint())
    await verifyToken(other.verifier, other.mint())
    await expectRefused(one.verifier, other.mint(), 'token_invalid')
  })

  it('with a private or symmetric key among others: they are left out, the operator is told, the others verify', async () => {
    const server = await startKeyServer()
    const leaked = createPair()
    server.answer = (response) => {
      const keys = [
        { ...leaked.privateKey.export({ format: 'jwk' }), kid: 'leaked' },
        { kty: 'oct', kid: 'shared', k: 'c2VjcmV0' },
        server.jwk,
      ]
      sendJson(response, { keys })
    }
    await verifyToken(server.verifier, server.mint())
    await expectRefused(server.verifier, server.mint({ kid: 'leaked' }, leaked.privateKey), 'token_invalid')
    expect(server.issues).toHaveLength(1)
    expect(server.issues[0]).toMatch(/key "leaked": private key material \(d\).*key "shared": a symmetric key/)
    for (const secret of [leaked.privateKey.export({ format: 'jwk' }).d ?? '-', 'c2VjcmV0'])
      expect(server.issues[0]).not.toContain(secret)
    // Once is enough: the same finding is not told at every refresh.
    server.clock.advance(270_000)
    await eventually(() => expect(server.asked).toBe(2))
    await eventually(() => expect(server.clock.pending).toBe(1))
    expect(server.issues).toHaveLength(1)
  })

  it('with weak keys: they verify nothing', async () => {
    const server = await startKeyServer()
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const exponent1 = { kty: 'RSA', n: Buffer.alloc(256, 0xb5).toString('base64url'), kid: 'e1', e: 'AQ' }
    server.answer = (response) =>
      sendJson(response, { keys: [{ ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak' }, exponent1] })
    await expectRefused(server.verifier, server.mint({ alg: 'RS256', kid: 'weak' }, weak.privateKey), 'issuer_unavailable')
    expect(server.issues[0]).toMatch(/1024 bits.*exponent/)
  })

  it('cannot change any object', async () => {
    const server = await startKeyServer()
    server.answer = (response) => {
      const text = JSON.stringify({ keys: [server.jwk] }).replace(
        '{',
        '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},',
      )
      sendText(response, text)
    }
    await verifyToken(server.verifier, server.mint())
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

describe('metadata', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['of another issuer', { issuer: 'https://evil.example' }, /of issuer "https:\/\/evil\.example"/],
    ['without an issuer', { issuer: undefined }, /has no issuer/],
    ['without keys', { jwks_uri: undefined }, /names no jwks_uri/],
    ['with keys in a file', { jwks_uri: 'file:///etc/passwd' }, /scheme file:/],
    ['with keys in a text', { jwks_uri: 'data:application/json,{"keys":[]}' }, /scheme data:/],
    ['with keys by FTP', { jwks_uri: 'ftp://127.0.0.1/keys' }, /scheme ftp:/],
    ['with keys in the open on another host', { jwks_uri: 'http://keys.example.net/' }, /https is needed/],
    ['with keys behind a password', { jwks_uri: 'https://user:pass@127.0.0.1/' }, /user information/],
    ['with keys nowhere', { jwks_uri: '/jwks' }, /not an absolute URL/],
  ])('%s: nothing can be checked, and the reason is told', async (_, members, reason) => {
    const setup = await start()
    setup.issuer.setMetadata(members)
    const text = await expectRefused(setup.verifier, await setup.mint(), 'issuer_unavailable')
    expect(text).toContain(setup.issuer.issuer)
    expect(setup.issues.join()).toMatch(reason)
    expect(setup.fetches()).toBe(0)
  })

  it('with a final slash too many is that of another issuer, and the operator is told which', async () => {
    const setup = await start()
    setup.issuer.setMetadata({ issuer: `${setup.issuer.issuer}/` })
    await expectRefused(setup.verifier, await setup.mint(), 'issuer_unavailable')
    expect(setup.issues.join()).toContain('differ by the final slash')
  })

  it('may name keys on another host', async () => {
    const elsewhere = await startIssuer()
    const setup = await start()
    setup.issuer.setMetadata({ jwks_uri: elsewhere.jwksUri })
    const token = await elsewhere.mint({ claims: { iss: setup.issuer.issuer } })
    await verifyToken(setup.verifier, token)
    await elsewhere.close()
  })

  it('is asked for again when the keys are no longer where it said', async () => {
    const elsewhere = await startIssuer()
    const setup = await start()
    setup.issuer.setMetadata({ jwks_uri: elsewhere.jwksUri })
    const mint = () => elsewhere.mint({ claims: { iss: setup.issuer.issuer } })
    await verifyToken(setup.verifier, await mint())
    await elsewhere.close()
    setup.issuer.setMetadata({})
    setup.clock.advance(270_000)
    await eventually(() => expect(setup.issues).toHaveLength(1))
    await pass(setup, 1_000, async () => (await codeOf(setup.verifier, await setup.mint())) === 'accepted')
  })
})

describe('TLS of an issuer', () => {
  const startTls = async (plan: Partial<IssuerPlan>, certificate = createCertificate()) => {
    const { publicKey, privateKey } = createPair()
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1' }
    const server = createTlsServer(certificate, (_request, response) =>
      sendJson(response, { issuer, jwks_uri: `${issuer}/keys`, keys: [jwk] }),
    )
    const issuer: string = `https://127.0.0.1:${await listenOnLoopback(server, 0)}`
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan(issuer, plan)],
      audiences: [audience],
    })
    open.push(async () => {
      await verifier.close()
      await closeServer(server)
    })
    return {
      verifier,
      token: forge({ header: { alg: 'ES256', kid: 'key-1' }, payload: createClaims(issuer) }, privateKey, 'ES256'),
    }
  }

  it('is trusted with the authority of the configuration', async () => {
    const certificate = createCertificate()
    const { verifier, token } = await startTls({ ca: certificate.cert }, certificate)
    await verifyToken(verifier, token)
  })

  it('is not trusted without: no token passes', async () => {
    const { verifier, token } = await startTls({})
    await expectRefused(verifier, token, 'issuer_unavailable')
  })

  it('is not trusted once it has expired: no token passes', async () => {
    const certificate = createCertificate({ endsIn: -60 })
    const { verifier, token } = await startTls({ ca: certificate.cert }, certificate)
    await expectRefused(verifier, token, 'issuer_unavailable')
  })
})

it('an issuer that is configured twice for a server is a mistake', () => {
  const plans = [createIssuerPlan('https://a.example'), createIssuerPlan('https://a.example', { refreshKeysSeconds: 1 })]
  const create = () => createTokenVerifier({ issuers: plans, audiences: [audience] })
  expect(create).toThrow('configured twice')
})
