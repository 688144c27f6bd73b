// A store that takes no writes for a moment, at each step of each grant: what was not answered was not used (RFC 6749 §4.1.2, §6).
import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { comeBack, signInBrowser } from '../support/broker-browser.ts'
import {
  authorize,
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
import { JWT_BEARER, type MachineStage, startMachineStage } from '../support/machine-stage.ts'

/** Writes that still succeed before the store fails, how many fail then, and what becomes of those. */
const outage = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY, failures: Number.POSITIVE_INFINITY, lands: false }))

vi.mock(import('../../src/store/memory-store.ts'), async (original) => {
  const { createMemoryStore } = await original()
  return {
    createMemoryStore: (...given) => {
      const store = createMemoryStore(...given)
      const write = async <T>(operation: () => Promise<T>): Promise<T> => {
        outage.left -= 1
        if (outage.left >= 0 || outage.left < -outage.failures) return operation()
        if (outage.lands) await operation()
        throw new Error('the store takes no writes')
      }
      return {
        ...store,
        put: (...entry) => write(() => store.put(...entry)),
        add: (...entry) => write(() => store.add(...entry)),
        replace: (...entry) => write(() => store.replace(...entry)),
        take: (...where) => write(() => store.take(...where)),
        deleteGroup: (group) => write(() => store.deleteGroup(group)),
      }
    },
  }
})

const [alice] = SAMPLE_USERS

let stage: MachineStage
let origin: string
let client: RawClient

beforeAll(async () => {
  stage = await startMachineStage({ broker: { refresh_grace_seconds: 0 } })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterEach(() => heal())
afterAll(() => stage?.close())

function heal(): void {
  Object.assign(outage, { left: Number.POSITIVE_INFINITY, failures: Number.POSITIVE_INFINITY })
}

/** A request that is made twice with the same code, token or assertion. */
type Ask = () => Promise<Response>

const { privateKey, publicKey } = await generateKeyPair('ES256')

async function signAssertion(clientId: string, key: CryptoKey = privateKey): Promise<string> {
  return new SignJWT({ iss: clientId, sub: clientId, aud: origin, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(key)
}

async function createKeyHolder(): Promise<RawClient> {
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] }
  return createRawClient(origin, { token_endpoint_auth_method: 'private_key_jwt', jwks })
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Each makes something that is good once, and the request that shows it. */
const GRANTS: Record<string, { readonly prepare: () => Promise<Ask>; readonly again: string }> = {
  'a code': {
    prepare: async () => {
      const code = await authorize(origin, client, alice)
      return () => redeem(origin, client, code)
    },
    again: 'invalid_grant',
  },
  'a refresh token': {
    prepare: async () => {
      const { refresh_token: token } = await obtainTokens(origin, client, alice)
      return () => refresh(origin, client, token)
    },
    again: 'invalid_grant',
  },
  'a code, by a client with an assertion': {
    prepare: async () => {
      const holder = await createKeyHolder()
      const code = await authorize(origin, holder, alice)
      const assertion = { client_assertion: await signAssertion(holder.id), client_assertion_type: ASSERTION_TYPE }
      return () => redeem(origin, holder, code, assertion)
    },
    again: 'invalid_client',
  },
  'an identity assertion': {
    prepare: async () => {
      const form = { grant_type: JWT_BEARER, assertion: await stage.mintAssertion(), resource: `${origin}/mcp` }
      return () => stage.request(form, 'agent')
    },
    again: 'invalid_grant',
  },
}

describe.each(Object.entries(GRANTS))('%s', (_name, { prepare, again }) => {
  it.each([
    ['takes no writes', false],
    ['takes the write, and its answer is lost', true],
  ])('stays good when the store %s, whatever the step, and is good once after that', async (_how, lands) => {
    let step = 0
    for (; step < 10; step++) {
      const ask = await prepare()
      Object.assign(outage, { left: step, lands })
      const first = await ask()
      heal()
      if (first.status === 200) break
      expect([step, first.status, await readJson(first)]).toMatchObject([step, 503, { error: 'temporarily_unavailable' }])
      const second = await ask()
      const tokens = await readJson(second)
      expect([step, second.status, tokens.error]).toEqual([step, 200, undefined])
      expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
      expect([step, await readJson(await ask())]).toMatchObject([step, { error: again }])
    }
    expect(step).toBeGreaterThan(0)
    expect(step).toBeLessThan(10)
  })
})

/** A browser on its way from the identity provider, or from the consent page alone, to the client. */
async function allowUpToTheClient(isSignedIn: boolean) {
  const browser = isSignedIn ? await signInBrowser(createRequest(origin, client).url, alice) : createBrowser()
  const request = createRequest(origin, client, isSignedIn ? { prompt: 'consent' } : {})
  const page = isSignedIn
    ? await sendConsent(browser, await openConsentPage(browser, request.url))
    : await browser.open(await comeBack(browser, request.url, alice))
  return { browser, request, next: readRefresh(await page.text()) }
}

describe('a sign-in that was allowed', () => {
  it.each([
    ['in a new browser', 'takes no writes', false, false],
    ['in a new browser', 'takes the write, and its answer is lost', false, true],
    ['in one that is signed in', 'takes no writes', true, false],
    ['in one that is signed in', 'takes the write, and its answer is lost', true, true],
  ])(
    'goes on when the page is loaded anew: %s, when the store %s on the way to the client',
    async (_where, _how, isSignedIn, lands) => {
      let step = 0
      for (; step < 20; step++) {
        const { browser, request, next } = await allowUpToTheClient(isSignedIn)
        Object.assign(outage, { left: step, lands })
        const first = await browser.open(next)
        heal()
        if (first.status === 303) break
        expect([step, first.status, await first.text()]).toEqual([step, 503, expect.stringContaining('not possible right now')])
        const second = await browser.open(next)
        const redirect = new URL(second.headers.get('location') ?? 'about:blank')
        expect([step, second.status, redirect.host]).toEqual([step, 303, 'client.example'])
        const code = redirect.searchParams.get('code') ?? ''
        expect((await redeem(origin, client, { ...request, code, redirect })).status).toBe(200)
        // Once, as ever.
        expect([step, (await browser.open(next)).status]).toEqual([step, 400])
      }
      expect(step).toBeGreaterThan(1)
      expect(step).toBeLessThan(20)
    },
  )
})

describe('a sign-in on its way', () => {
  const readPage = async (response: Response) => ({ status: response.status, html: await response.text() })

  it.each([
    ['the form of the consent page', 'for a while', true, Number.POSITIVE_INFINITY],
    ['the form of the consent page', 'once', true, 1],
    ['the answer of the identity provider', 'for a while', false, Number.POSITIVE_INFINITY],
    ['the answer of the identity provider', 'once', false, 1],
  ])('says that it is the store that fails, and can be tried again: with %s, %s', async (_name, _long, isForm, failures) => {
    let step = 0
    for (; step < 20; step++) {
      const browser = createBrowser()
      const page = await openConsentPage(browser, createRequest(origin, client).url)
      const back = isForm ? undefined : await comeBack(browser, createRequest(origin, client).url, alice)
      Object.assign(outage, { left: step, failures, lands: false })
      const first = await readPage(await (back === undefined ? sendConsent(browser, page) : browser.open(back)))
      heal()
      if (first.status === 200) break
      expect([step, first]).toEqual([step, { status: 503, html: expect.stringContaining('not possible right now') }])
      const again = await sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url))
      expect([step, await readPage(again)]).toEqual([
        step,
        { status: 200, html: expect.stringContaining('http-equiv="refresh"') },
      ])
    }
    expect(step).toBeGreaterThan(0)
    expect(step).toBeLessThan(20)
    expect(stage.proxy.log.records().filter(({ code }) => code === 'internal_error')).toEqual([])
  })
})

describe('what an unanswered request was about', () => {
  it.each(['a code', 'a refresh token'])(
    'still ends everything that came of it when it is used twice: %s (RFC 9700 §4.14.2)',
    async (name) => {
      const ask = await GRANTS[name]?.prepare()
      if (ask === undefined) throw new Error(name)
      Object.assign(outage, { left: 0, lands: true })
      expect((await ask()).status).toBe(503)
      heal()
      const tokens = await readJson(await ask())
      expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
      expect((await ask()).status).toBe(400)
      expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
      expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
    },
  )

  it('gives tokens to one at most of those who ask again at the same moment', async () => {
    const ask = await GRANTS['a code']?.prepare()
    if (ask === undefined) throw new Error('no code')
    Object.assign(outage, { left: 1, lands: true })
    expect((await ask()).status).toBe(503)
    heal()
    const answers = await Promise.all(Array.from({ length: 6 }, ask))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('is not used by a refusal behind it either: a mistake of the client costs it nothing', async () => {
    const code = await authorize(origin, client, alice)
    const wrong = await redeem(origin, client, code, { resource: `${origin}/other` })
    expect([wrong.status, await readJson(wrong)]).toMatchObject([400, { error: 'invalid_target' }])
    expect((await redeem(origin, client, code)).status).toBe(200)
  })
})
