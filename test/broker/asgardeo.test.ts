import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { ADMIN, EVERY_SCOPE } from '../support/asgardeo/state.ts'
import { API_RESOURCE, type AsgardeoStage, type AsgardeoStageOptions, startAsgardeoStage } from '../support/asgardeo-stage.ts'
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
  register,
  sendConsent,
} from '../support/broker-client.ts'
import { createCertificate } from '../support/certificate.ts'
import type { TestProxy } from '../support/proxy.ts'
import { connectSdkClient, type Generation } from '../support/sdk-clients.ts'

const [alice, bob] = SAMPLE_USERS
const GENERATIONS: Generation[] = ['v1', 'v2 legacy', 'v2 auto']

let stage: AsgardeoStage | undefined
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await stage?.close()
  stage = undefined
})

async function start(options?: AsgardeoStageOptions): Promise<AsgardeoStage> {
  stage = await startAsgardeoStage(options)
  return stage
}

const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
const listSteps = ({ asgardeo }: AsgardeoStage, step: string) => asgardeo.asked.filter((asked) => asked.step === step)

/** Clicks "allow", and gives the page that comes then. */
async function clickAllow({ origin }: TestProxy, name = 'Raw client'): Promise<{ status: number; html: string }> {
  const client = await createRawClient(origin, { client_name: name })
  const browser = createBrowser()
  const answer = await sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url))
  return { status: answer.status, html: await answer.text() }
}

describe.each([['application'], ['per_client']] as const)('Asgardeo with registration: %s', (registration) => {
  it.each(GENERATIONS)('signs the %s client in, up to a tool call', async (generation) => {
    const { url, asgardeo, proxy } = await start({ provider: { registration } })
    const oauth = createOAuthClient({ name: 'Test client', redirectUri: 'http://localhost:50124/callback' })
    const client = await connectSdkClient({ generation, transport: 'streamable', url, oauth, user: alice })
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()
    const [application, ...more] = asgardeo.applications.values()
    expect(more).toEqual([])
    expect(application?.oidc?.callbackURLs).toEqual([`${proxy.origin}/oauth/callback`])
    expect(application?.name).toMatch(
      registration === 'application' ? /^open-mcp-auth-proxy_localhost-\d+$/ : /_Test-client_[0-9a-f]{12}$/,
    )
  })

  it('keeps its secrets out of the log', async () => {
    const { proxy, asgardeo } = await start({ provider: { registration } })
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    asgardeo.revokeAdminTokens()
    asgardeo.fail('user-token', { status: 400, body: { error: 'invalid_grant', error_description: 'no' } })
    await expect(obtainTokens(proxy.origin, client, alice)).rejects.toThrow()
    const [application] = asgardeo.applications.values()
    const log = proxy.log.text()
    for (const secret of [ADMIN.clientSecret, application?.oidc?.clientSecret ?? '']) expect(log).not.toContain(secret)
    expect(log).not.toContain(Buffer.from(`${ADMIN.clientId}:${ADMIN.clientSecret}`).toString('base64'))
  })

  it('refreshes through the same application, and ends what Asgardeo ends', async () => {
    const { proxy, url, asgardeo } = await start({ provider: { registration }, asgardeo: { accessTokenSeconds: 60 } })
    const client = await createRawClient(proxy.origin)
    const first = await obtainTokens(proxy.origin, client, alice)
    later(120)
    const second = await readJson(await refresh(proxy.origin, client, first.refresh_token))
    expect(await callMcp(url, second.access_token)).toBe(200)
    asgardeo.endSessions()
    later(240)
    expect((await refresh(proxy.origin, client, second.refresh_token)).status).toBe(400)
    expect(await callMcp(url, second.access_token)).toBe(401)
  })

  it('gives users the scopes that Asgardeo grants them, and no others', async () => {
    const { proxy } = await start({ provider: { registration, api_resource: API_RESOURCE } })
    const client = await createRawClient(proxy.origin)
    const both = { scope: 'mcp:tools mcp:admin' }
    expect((await obtainTokens(proxy.origin, client, alice, both)).scope).toBe('mcp:tools')
    expect((await obtainTokens(proxy.origin, client, bob, both)).scope).toBe('mcp:tools mcp:admin')
  })

  it('gives no scopes that Asgardeo does not name: the request for them is in the user’s hands', async () => {
    const { proxy } = await start({ provider: { registration, api_resource: API_RESOURCE }, asgardeo: { leavesOutScope: true } })
    const client = await createRawClient(proxy.origin)
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(proxy.origin, client, { scope: 'mcp:tools mcp:admin' }).url)
    const onwards = new URL(readRefresh(await (await sendConsent(browser, page)).text()))
    onwards.searchParams.set('scope', 'openid')
    const answer = await browser.open(await signIn(onwards, alice))
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('none of the permissions')])
  })

  it('uses the application that it made after a restart', async () => {
    const { proxy, asgardeo, startProxy } = await start({ provider: { registration }, file: true })
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    const [before] = asgardeo.applications.keys()
    await proxy.close()
    const again = await startProxy({}, {}, proxy.port)
    await obtainTokens(again.origin, client, alice)
    expect([...asgardeo.applications.keys()]).toEqual([before])
    expect(asgardeo.asked.filter(({ step }) => step === 'create' || step === 'dcr')).toHaveLength(1)
  })

  it('makes another application when the first one was deleted', async () => {
    const { proxy, asgardeo } = await start({ provider: { registration } })
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    for (const id of [...asgardeo.applications.keys()]) asgardeo.removeApplication(id)
    // Found out by a failure: at Asgardeo, where the browser is stuck, or when we look.
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000)
    await obtainTokens(proxy.origin, client, alice)
    expect(asgardeo.applications.size).toBe(1)
  })

  it('shows an error page while Asgardeo is down, and works as soon as it is back', async () => {
    const { proxy, asgardeo } = await start({ provider: { registration }, prepare: (one) => one.fail('token', { status: 503 }) })
    const { status, html } = await clickAllow(proxy)
    expect([status, html]).toEqual([503, expect.stringContaining('Signing in is not possible right now')])
    asgardeo.heal()
    await vi.waitFor(async () => expect((await clickAllow(proxy)).status).toBe(200), { interval: 100 })
    const client = await createRawClient(proxy.origin)
    expect((await obtainTokens(proxy.origin, client, alice)).scope).toBe('mcp:tools')
  })

  it('does not ask again and again what was refused a moment ago', async () => {
    const { proxy } = await start({ provider: { registration }, prepare: (one) => one.fail('token', { status: 401 }) })
    for (let count = 0; count < 5; count++) expect((await clickAllow(proxy)).status).toBe(503)
    expect(listSteps(stage as AsgardeoStage, 'token').length).toBeLessThanOrEqual(2)
  })
})

describe('the application that all clients share', () => {
  it('is made at the start, before any client comes', async () => {
    const { asgardeo } = await start()
    await vi.waitFor(() => expect(asgardeo.applications.size).toBe(1))
  })

  it('is one for processes that share a store, and one for those that do not', async () => {
    const name = { application_name: 'shared' }
    const { asgardeo, startProxy, proxy } = await start({ file: true, provider: name })
    const others = await Promise.all([startProxy(), startProxy()])
    await Promise.all([proxy, ...others].map(async ({ origin }) => obtainTokens(origin, await createRawClient(origin), alice)))
    expect([...asgardeo.applications.values()].map(({ name: known }) => known)).toEqual(['shared'])
  })

  it('is not made of another owner’s: the log says what to do', async () => {
    const { proxy } = await start({
      provider: { application_name: 'taken' },
      prepare: (asgardeo) =>
        asgardeo.addApplication({ id: 'theirs', name: 'taken', description: 'HR', oidc: undefined, authorized: new Map() }),
    })
    expect((await clickAllow(proxy)).status).toBe(503)
    expect(proxy.log.text()).toMatch(/already that is not ours: choose another `identity_provider.application_name`/)
  })

  it('is missing with wrong credentials: the log says so', async () => {
    const { startProxy } = await start()
    const wrong = await startProxy({}, { ADMIN_SECRET: 'wrong-secret-of-the-admin' })
    expect((await clickAllow(wrong)).status).toBe(503)
    const log = wrong.log.text()
    expect(log).toContain('Asgardeo refuses the credentials of `identity_provider.admin` (401')
    expect(log).not.toContain('wrong-secret-of-the-admin')
  })

  it('gets a secret again that was changed behind our back', async () => {
    const { proxy, asgardeo } = await start()
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    const [application] = asgardeo.applications.values()
    if (application?.oidc) application.oidc.clientSecret = 'a-new-secret'
    await expect(obtainTokens(proxy.origin, client, alice)).rejects.toThrow()
    expect((await obtainTokens(proxy.origin, client, alice)).scope).toBe('mcp:tools')
  })
})

describe('an application for each client', () => {
  it('has a name that Asgardeo takes, and our redirect URI, whatever the client says', async () => {
    const { proxy, asgardeo } = await start({ provider: { registration: 'per_client' } })
    const names = [
      'line\nbreak\r\n',
      '{"client_name":"x"}',
      '../../admin',
      '"; drop',
      '日本語',
      ' ',
      'x'.repeat(500),
      '*'.repeat(50),
    ]
    for (const name of names) expect((await clickAllow(proxy, name)).status).toBe(200)
    expect(asgardeo.applications.size).toBe(names.length)
    for (const { name, oidc } of asgardeo.applications.values()) {
      expect(name).toMatch(/^open-mcp-auth-proxy_[\w.-]{1,100}$/)
      expect(oidc?.callbackURLs).toEqual([`${proxy.origin}/oauth/callback`])
    }
    expect(listSteps(stage as AsgardeoStage, 'create')).toEqual([])
  })

  it.each([
    'http://localhost:1234/cb.+',
    'https://client.example/cb.',
    'https://client.example/(cb)$',
    'http://127.0.0.1/regexp=(cb)',
    'com.example.app:/cb[1-9]?',
    'http://localhost:1234/cb|.*',
    'https://client.example/cb)|(https://evil.example/.*',
  ])('never sends a redirect URI of a client to Asgardeo: %s', async (redirectUri) => {
    const { proxy, asgardeo } = await start({ provider: { registration: 'per_client' } })
    const answer = await register(proxy.origin, {
      client_name: 'Evil',
      redirect_uris: [redirectUri, 'https://client.example/cb'],
    })
    expect(answer.status).toBe(201)
    const { client_id: id } = await readJson(answer)
    const client = { id, redirectUri: 'https://client.example/cb', secret: undefined }
    const browser = createBrowser()
    await sendConsent(browser, await openConsentPage(browser, createRequest(proxy.origin, client).url))
    const [asked, ...more] = listSteps(stage as AsgardeoStage, 'dcr')
    expect(more).toEqual([])
    expect(JSON.parse(asked?.body ?? '').redirect_uris).toEqual([`${proxy.origin}/oauth/callback`])
    expect(asgardeo.applications.size).toBe(1)
  })

  it('is made by the management interface where registration is refused', async () => {
    const adminScopes = EVERY_SCOPE.filter((scope) => !scope.startsWith('internal_dcr'))
    const { proxy } = await start({ provider: { registration: 'per_client' }, asgardeo: { adminScopes } })
    await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
    expect(proxy.log.text()).toContain('the management interface is used instead')
  })

  it('is one, however often the client asks at the same moment', async () => {
    const { proxy, asgardeo } = await start({ provider: { registration: 'per_client' } })
    const client = await createRawClient(proxy.origin)
    const answers = await Promise.all(Array.from({ length: 6 }, () => obtainTokens(proxy.origin, client, alice)))
    expect(answers).toHaveLength(6)
    expect(asgardeo.applications.size).toBe(1)
  })

  it('is not made for a flood: so many a minute, so many in all', async () => {
    const { proxy, asgardeo } = await start({
      provider: { registration: 'per_client', most_applications: 3 },
      broker: { registration: { per_minute: 100 } },
    })
    const statuses: number[] = []
    for (let count = 0; count < 6; count++) statuses.push((await clickAllow(proxy)).status)
    expect(statuses).toEqual([200, 200, 200, 503, 503, 503])
    expect(asgardeo.applications.size).toBe(3)
    // What nobody signed in with makes room after a while.
    later(16 * 60)
    expect((await clickAllow(proxy)).status).toBe(200)
    expect(asgardeo.applications.size).toBe(3)
  })

  it('is not made more often within a minute than clients may register', async () => {
    const { proxy, asgardeo } = await start({
      provider: { registration: 'per_client' },
      broker: { registration: { per_minute: 4 } },
    })
    const clients = []
    for (let count = 0; count < 4; count++) clients.push(await createRawClient(proxy.origin))
    for (let count = 0; count < 3; count++)
      for (const client of clients) {
        const browser = createBrowser()
        await sendConsent(browser, await openConsentPage(browser, createRequest(proxy.origin, client).url))
      }
    expect(asgardeo.applications.size).toBe(4)
  })

  it('is deleted when it has been idle for long', async () => {
    const { proxy, asgardeo, startProxy } = await start({
      provider: { registration: 'per_client' },
      file: true,
      broker: { registration: { unused_seconds: 1000, idle_seconds: 100_000 } },
    })
    await obtainTokens(proxy.origin, await createRawClient(proxy.origin, { client_name: 'Used' }), alice)
    await clickAllow(proxy, 'Unused')
    expect(asgardeo.applications.size).toBe(2)
    await proxy.close()
    // What is over is looked for at every start, and every ten minutes.
    later(2000)
    const second = await startProxy({}, {}, proxy.port)
    await vi.waitFor(() =>
      expect([...asgardeo.applications.values()].map(({ name }) => name)).toEqual([expect.stringContaining('_Used_')]),
    )
    await second.close()
    later(200_000)
    await startProxy({}, {}, proxy.port)
    await vi.waitFor(() => expect(asgardeo.applications.size).toBe(0))
  })
})

describe('over TLS', () => {
  it('signs in at an Asgardeo whose certificate is of an authority that the configuration names', async () => {
    const before = getCACertificates('default')
    const certificate = createCertificate()
    const { proxy, url } = await start({ tls: certificate })
    // For the browser of this test; the proxy has its own.
    setDefaultCACertificates([...before, certificate.cert])
    try {
      const tokens = await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
      expect(await callMcp(url, tokens.access_token)).toBe(200)
    } finally {
      setDefaultCACertificates(before)
    }
  })
})
