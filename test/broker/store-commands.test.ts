// Each request of the broker, with a store that fails at its first command, its second, and so on: never 500, and nothing that a
// repetition does not repair.
import { randomUUID } from 'node:crypto'
import { importPKCS8, SignJWT } from 'jose'
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
  postForm,
  type RawClient,
  readJson,
  readRefresh,
  redeem,
  refresh,
  register,
  sendConsent,
} from '../support/broker-client.ts'
import { NO_FAULT, type StoreFaults } from '../support/failing-store.ts'
import {
  ACCESS_TOKEN_TYPE,
  JWT_BEARER,
  MACHINE_SECRETS,
  type MachineStage,
  startMachineStage,
  TOKEN_EXCHANGE,
} from '../support/machine-stage.ts'

const faults: StoreFaults = vi.hoisted(() => ({
  left: Number.POSITIVE_INFINITY,
  failures: Number.POSITIVE_INFINITY,
  lands: false,
  failed: [],
}))

vi.mock(import('../../src/store/memory-store.ts'), async (original) => {
  const { failingStores } = await import('../support/failing-store.ts')
  return { createMemoryStore: failingStores((await original()).createMemoryStore, faults) }
})

const INITIALIZE = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
const [alice] = SAMPLE_USERS
const MAX_STEPS = 60

let stage: MachineStage
let origin: string
let client: RawClient

beforeAll(async () => {
  stage = await startMachineStage({ broker: { refresh_grace_seconds: 0, registration: { per_minute: 10_000 } } })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterEach(() => heal())
afterAll(() => stage?.close())

function heal(): void {
  Object.assign(faults, NO_FAULT)
}

interface Attempt {
  /** Made while the store fails, and once more when it does not. */
  readonly ask: () => Promise<Response>
  /** Checks what the second one brought. Without it, the second one is as good as the first would have been. */
  readonly check?: (second: Response) => Promise<void>
  /** The status that it gets from a store that works: 400, or one that is no error. */
  readonly isRefused?: true
}

async function signAssertion(): Promise<string> {
  return new SignJWT({ iss: 'signer', sub: 'signer', aud: origin, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'signer-1' })
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(await importPKCS8(stage.signerKey, 'ES256'))
}

const asServer = { authorization: `Basic ${Buffer.from(`web:${MACHINE_SECRETS.web}`).toString('base64')}` }

async function expectWorking(response: Response): Promise<void> {
  const tokens = await readJson(response)
  expect([response.status, tokens.error]).toEqual([200, undefined])
  expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
}

/** A sign-in that failed on its way begins anew, in the same browser. */
async function expectToSignIn(browser: ReturnType<typeof createBrowser>): Promise<void> {
  const request = createRequest(origin, client)
  const back = await comeBack(browser, request.url, alice)
  const redirect = await browser.open(readRefresh(await (await browser.open(back)).text()))
  const code = new URL(redirect.headers.get('location') ?? 'about:blank').searchParams.get('code') ?? ''
  await expectWorking(await redeem(origin, client, { ...request, code, redirect: new URL(origin) }))
}

const FLOWS: Record<string, () => Promise<Attempt>> = {
  'an authorization request': async () => {
    const browser = createBrowser()
    return { ask: () => browser.open(createRequest(origin, client).url), check: () => expectToSignIn(browser) }
  },
  'an authorization request of a browser that is signed in': async () => {
    const browser = await signInBrowser(createRequest(origin, client).url, alice)
    const { url } = createRequest(origin, client)
    return { ask: () => browser.open(url) }
  },
  'the consent page': async () => {
    const browser = createBrowser()
    const location = (await browser.open(createRequest(origin, client).url)).headers.get('location') ?? ''
    return { ask: () => browser.open(new URL(location, origin)) }
  },
  'what the user allows': async () => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, client).url)
    return { ask: () => sendConsent(browser, page), check: () => expectToSignIn(createBrowser()) }
  },
  'what a user allows who is signed in': async () => {
    const browser = await signInBrowser(createRequest(origin, client).url, alice)
    const page = await openConsentPage(browser, createRequest(origin, client, { prompt: 'consent' }).url)
    return { ask: () => sendConsent(browser, page) }
  },
  'the answer of the identity provider': async () => {
    const browser = createBrowser()
    const back = await comeBack(browser, createRequest(origin, client).url, alice)
    return { ask: () => browser.open(back), check: () => expectToSignIn(createBrowser()) }
  },
  'the way on to the client': async () => {
    const browser = createBrowser()
    const back = await comeBack(browser, createRequest(origin, client).url, alice)
    const next = readRefresh(await (await browser.open(back)).text())
    return { ask: () => browser.open(next) }
  },
  'a code': async () => {
    const code = await authorize(origin, client, alice)
    return { ask: () => redeem(origin, client, code), check: expectWorking }
  },
  'a refresh token': async () => {
    const { refresh_token: token } = await obtainTokens(origin, client, alice)
    return { ask: () => refresh(origin, client, token), check: expectWorking }
  },
  'a refresh token that is used twice': async () => {
    const { refresh_token: token } = await obtainTokens(origin, client, alice)
    const fresh = await readJson(await refresh(origin, client, token))
    return {
      ask: () => refresh(origin, client, token),
      isRefused: true,
      check: async () => {
        expect(await callMcp(stage.url, fresh.access_token)).toBe(401)
        expect((await refresh(origin, client, fresh.refresh_token)).status).toBe(400)
      },
    }
  },
  'a code that is used twice': async () => {
    const code = await authorize(origin, client, alice)
    const tokens = await readJson(await redeem(origin, client, code))
    return {
      ask: () => redeem(origin, client, code),
      isRefused: true,
      check: async () => expect(await callMcp(stage.url, tokens.access_token)).toBe(401),
    }
  },
  'client credentials with a secret': async () => ({
    ask: () => stage.request({ grant_type: 'client_credentials', resource: `${origin}/mcp` }, 'job'),
    check: expectWorking,
  }),
  'client credentials with a signed assertion': async () => {
    const form = {
      grant_type: 'client_credentials',
      resource: `${origin}/mcp`,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(),
    }
    return { ask: () => stage.request(form), check: expectWorking }
  },
  'an identity assertion': async () => {
    const form = { grant_type: JWT_BEARER, assertion: await stage.mintAssertion(), resource: `${origin}/mcp` }
    return { ask: () => stage.request(form, 'agent'), check: expectWorking }
  },
  'an exchange of a token': async () => {
    const { access_token: token } = await obtainTokens(origin, client, alice)
    const form = {
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource: `${origin}/other`,
    }
    return { ask: () => stage.request(form, 'gateway') }
  },
  'a registration': async () => ({
    ask: () => register(origin, { client_name: 'Another', redirect_uris: ['https://client.example/cb'] }),
  }),
  'a revocation of a refresh token': async () => {
    const tokens = await obtainTokens(origin, client, alice)
    expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    return {
      ask: () => postForm(`${origin}/revoke`, { token: tokens.refresh_token, client_id: client.id }),
      check: async () => {
        expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
        expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
      },
    }
  },
  'a revocation of an access token': async () => {
    const tokens = await obtainTokens(origin, client, alice)
    expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    return {
      ask: () => postForm(`${origin}/revoke`, { token: tokens.access_token, client_id: client.id }),
      check: async () => {
        expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
        expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
      },
    }
  },
  'an introspection': async () => {
    const { access_token: token } = await obtainTokens(origin, client, alice)
    return {
      ask: () => postForm(`${origin}/introspect`, { token }, asServer),
      check: async (second) => expect(await second.json()).toMatchObject({ active: true }),
    }
  },
  'a call with a token': async () => {
    const { access_token: token } = await obtainTokens(origin, client, alice)
    return {
      ask: () =>
        fetch(stage.url, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE }),
        }),
      check: async () => expect(await callMcp(stage.url, token)).toBe(200),
    }
  },
  'the metadata': async () => ({ ask: () => fetch(`${origin}/.well-known/oauth-authorization-server`) }),
  'the metadata of OpenID Connect': async () => ({ ask: () => fetch(`${origin}/.well-known/openid-configuration`) }),
  'the keys': async () => ({ ask: () => fetch(`${origin}/jwks`) }),
}

const MODES: [how: string, mode: Partial<StoreFaults>][] = [
  ['fails from then on', { failures: Number.POSITIVE_INFINITY, lands: false }],
  ['fails at that one', { failures: 1, lands: false }],
  ['carries out everything from then on, and its answers are lost', { failures: Number.POSITIVE_INFINITY, lands: true }],
  ['carries that one out, and its answer is lost', { failures: 1, lands: true }],
]

describe.each(Object.entries(FLOWS))('%s', (name, prepare) => {
  it.each(MODES)('gets 503 and can be sent again, whichever command it is, when the store %s', async (_how, mode) => {
    let step = 0
    for (; step < MAX_STEPS; step++) {
      const { ask, check, isRefused } = await prepare()
      const isGood = ({ status }: Response) => (isRefused ? status === 400 : status < 400)
      faults.failed.length = 0
      Object.assign(faults, mode, { left: step })
      const first = await ask()
      heal()
      const failed = faults.failed[0]
      const where = `${name}, command ${step} (${failed}): ${first.status}`
      if (failed === undefined) {
        expect(isGood(first), where).toBe(true)
        break
      }
      if (!isGood(first)) {
        expect(first.status, `${where} ${await first.clone().text()}`).toBe(503)
        expect(Number(first.headers.get('retry-after')), where).toBeGreaterThan(0)
      }
      const second = isGood(first) ? first : await ask()
      if (check) await check(second)
      else expect(isGood(second), where).toBe(true)
    }
    expect(step).toBeLessThan(MAX_STEPS)
    const bugs = stage.proxy.log.records().filter(({ code }) => code === 'internal_error')
    expect(bugs).toEqual([])
  })
})
