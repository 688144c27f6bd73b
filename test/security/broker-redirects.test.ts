import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { signInBrowser } from '../support/broker-browser.ts'
import {
  authorize,
  createRawClient,
  createRequest,
  type RawClient,
  readJson,
  redeem,
  register,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { findVectors } from '../support/vectors.ts'

const [alice] = SAMPLE_USERS
const GOOD = 'https://good.example/cb'

let stage: BrokerStage
let origin: string
let web: RawClient
let native: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({ broker: { registration: { per_minute: 10_000 } } })
  origin = stage.proxy.origin
  web = await createRawClient(origin, { redirectUri: GOOD })
  native = await createRawClient(origin, { redirectUri: 'http://127.0.0.1:1234/cb' })
})
afterAll(() => stage?.close())

/** Opens an authorization request that should end on an error page: nobody is sent anywhere (RFC 6749 §4.1.2.1). */
async function expectNoRedirect(url: URL): Promise<void> {
  const response = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } })
  expect(response.status).toBeGreaterThanOrEqual(400)
  expect(response.status).toBeLessThan(500)
  expect(response.headers.get('location')).toBeNull()
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  const html = await response.text()
  expect(html).not.toContain('http-equiv="refresh"')
  expect(html).not.toContain('evil')
}

describe('a redirect URI that is not registered (RFC 9700 §2.1, §4.1.3: exact comparison)', () => {
  it.each([
    ['another one', 'https://evil.example/cb'],
    ['below a registered one', `${GOOD}/evil`],
    ['up from a registered one', `${GOOD}/../evil`],
    ['up from a registered one, escaped', `${GOOD}%2f..%2fevil`],
    ['with a query', `${GOOD}?evil=1`],
    ['with a fragment', `${GOOD}#evil`],
    ['with user information', 'https://good.example@evil.example/cb'],
    ['with a longer host', 'https://good.example.evil.example/cb'],
    ['with a host before a fragment', 'https://evil.example#good.example/cb'],
    ['with a backslash', 'https://good.example\\@evil.example/cb'],
    ['with another port', 'https://good.example:8443/cb'],
    ['with upper case in its path', 'https://good.example/CB'],
    ['with upper case in its host', 'https://GOOD.example/cb'],
    ['with upper case in its scheme', 'HTTPS://good.example/cb'],
    ['with its port', 'https://good.example:443/cb'],
    ['with a final slash', `${GOOD}/`],
    ['with a final dot in its host', 'https://good.example./cb'],
    ['with an escaped letter', 'https://good.example/%63b'],
    ['with two slashes', 'https://good.example//cb'],
    ['with a blank before it', ` ${GOOD}`],
    ['with a tab in it', 'https://good.ex\tample/cb'],
    ['with a parameter', `${GOOD};evil`],
    ['with an empty query', `${GOOD}?`],
    ['with an empty fragment', `${GOOD}#`],
    ['with a line break', `${GOOD}\r\nlocation: https://evil.example`],
    ['by http', 'http://good.example/cb'],
    ['of a script', 'javascript:alert(1)//evil'],
    ['of data', 'data:text/html,evil'],
    ['of an older script', 'vbscript:evil'],
    ['of a file', 'file:///evil'],
    ['of a blob', 'blob:https://good.example/evil'],
    ['of an intent', 'intent://good.example/cb#Intent;scheme=evil;end'],
    ['of another application', 'evil://good.example/cb'],
    ['very long', `https://good.example/${'evil'.repeat(2000)}`],
  ])('is refused: %s', async (_name, redirectUri) => {
    await expectNoRedirect(createRequest(origin, web, { redirect_uri: redirectUri }).url)
  })

  it.each([undefined, ''])('may be left out where the client has but one (OAuth 2.1 §4.1.1): %j', async (missing) => {
    const request = createRequest(origin, web, { redirect_uri: missing })
    const browser = await signInBrowser(request.url, alice)
    const redirect = new URL((await browser.open(request.url)).headers.get('location') ?? '')
    expect(`${redirect.origin}${redirect.pathname}`).toBe(GOOD)
    const code = { ...request, redirect, code: redirect.searchParams.get('code') ?? '' }
    expect((await redeem(origin, web, code, { redirect_uri: undefined })).status).toBe(200)
  })

  it('is refused when it is missing and there are several, or there twice', async () => {
    const answer = await readJson(await register(origin, { redirect_uris: [GOOD, `${GOOD}/2`] }))
    const several = { ...web, id: answer.client_id }
    await expectNoRedirect(createRequest(origin, several, { redirect_uri: undefined, state: undefined }).url)
    const { url } = createRequest(origin, web)
    url.searchParams.append('redirect_uri', 'https://evil.example/cb')
    await expectNoRedirect(url)
  })

  it('is refused for every other loopback name and path, while ports do not matter (RFC 8252 §7.3, §8.3)', async () => {
    for (const evil of [
      'http://localhost:1234/cb',
      'http://[::1]:1234/cb',
      'http://127.0.0.1:1234/evil',
      'http://127.0.0.1.evil.example/cb',
    ])
      await expectNoRedirect(createRequest(origin, native, { redirect_uri: evil }).url)
    const redirectUri = 'http://127.0.0.1:49152/cb'
    const { redirect } = await authorize(origin, { ...native, redirectUri }, alice)
    expect(redirect.origin).toBe('http://127.0.0.1:49152')
    expect(redirect.searchParams.get('code')).not.toBeNull()
  })

  it('is refused for a web client on another port', () =>
    expectNoRedirect(createRequest(origin, web, { redirect_uri: 'https://good.example:444/cb' }).url))

  it('is refused at the token endpoint when it differs from that of the request (RFC 6749 §4.1.3), and the code stays good', async () => {
    const code = await authorize(origin, web, alice)
    const wrong = await redeem(origin, web, code, { redirect_uri: 'https://evil.example/cb' })
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toMatchObject({ error: 'invalid_grant' })
    expect((await redeem(origin, web, code)).status).toBe(200)
  })

  it('may be left out at the token endpoint, where the proof of possession stands for it (OAuth 2.1 §10.2)', async () => {
    for (const client of [web, { ...native, redirectUri: 'http://127.0.0.1:49154/cb' }]) {
      const code = await authorize(origin, client, alice)
      const wrong = await redeem(origin, client, code, { redirect_uri: undefined, code_verifier: 'w'.repeat(43) })
      expect([wrong.status, (await readJson(wrong)).error]).toEqual([400, 'invalid_grant'])
      const other = await redeem(origin, client === web ? native : web, code, { redirect_uri: undefined })
      expect([other.status, (await readJson(other)).error]).toEqual([400, 'invalid_grant'])
      expect((await redeem(origin, client, code, { redirect_uri: undefined })).status).toBe(200)
    }
  })

  it('is refused in a loopback port of the same client at the token endpoint: there it has to be the very same (RFC 6749 §4.1.3)', async () => {
    const code = await authorize(origin, { ...native, redirectUri: 'http://127.0.0.1:49152/cb' }, alice)
    const wrong = await redeem(origin, native, code, { redirect_uri: 'http://127.0.0.1:49153/cb' })
    expect([wrong.status, (await readJson(wrong)).error]).toEqual([400, 'invalid_grant'])
  })

  const vectors = findVectors('open-redirect.txt')
  it.skipIf(vectors === undefined)(
    'is refused for every payload of the public collection, as redirect URI and as state',
    async () => {
      const payloads = readFileSync(vectors ?? '', 'utf8')
        .split('\n')
        .filter((line) => line !== '')
      expect(payloads.length).toBeGreaterThan(500)
      for (const payload of payloads) {
        const asUri = await fetch(createRequest(origin, web, { redirect_uri: payload }).url, { redirect: 'manual' })
        expect([payload, asUri.status, asUri.headers.get('location')]).toEqual([payload, 400, null])
        await asUri.body?.cancel()
        const failing = createRequest(origin, web, { state: payload, code_challenge_method: 'plain' })
        const asState = await fetch(failing.url, { redirect: 'manual' })
        const location = new URL(asState.headers.get('location') ?? '')
        expect([location.origin, location.pathname, location.searchParams.get('state')]).toEqual([
          'https://good.example',
          '/cb',
          payload,
        ])
        await asState.body?.cancel()
      }
    },
    120_000,
  )
})

describe('an unknown client', () => {
  it('leads nowhere, and is told so by 401 (RFC 6749 §4.1.2.1)', async () => {
    const { url } = createRequest(origin, { ...web, id: 'unknown' })
    await expectNoRedirect(url)
    const response = await fetch(url, { redirect: 'manual', headers: { accept: 'application/json' } })
    expect(response.status).toBe(401)
    expect(await readJson(response)).toMatchObject({ error: 'invalid_client' })
    const page = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } })
    expect([page.status, await page.text()]).toEqual([401, expect.stringContaining('This application is not registered')])
  })
})

describe('a mistake made on purpose (open redirect, RFC 9700 §4.11.2)', () => {
  const mistakes: [string, Record<string, string | undefined>][] = [
    ['no proof of possession', { code_challenge: undefined }],
    ['no page, for nobody', { prompt: 'none' }],
    ['an unknown answer', { response_type: 'evil' }],
    ['an answer in the fragment', { response_type: 'token' }],
    ['another server', { resource: 'https://elsewhere.example/' }],
  ]
  const visit = (client: RawClient, changes: Record<string, string | undefined>) =>
    fetch(createRequest(origin, client, changes).url, { redirect: 'manual', headers: { accept: 'text/html,*/*;q=0.8' } })

  it.each(mistakes)('sends no user on to where a stranger’s client says: %s', async (_name, changes) => {
    const response = await visit(web, changes)
    const html = await response.text()
    expect([response.status, response.headers.get('location')]).toEqual([400, null])
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(html).not.toContain('http-equiv="refresh"')
    expect(html).toContain('good.example')
    expect(html).toContain('request id')
    // Who wants to goes back, and the client is told.
    const back = new URL(/<a href="([^"]+)">Go back to the application/.exec(html)?.[1]?.replaceAll('&#38;', '&') ?? '')
    const told = back.hash === '' ? back.searchParams : new URLSearchParams(back.hash.slice(1))
    expect([`${back.origin}${back.pathname}`, told.has('error'), told.get('iss')]).toEqual([GOOD, true, origin])
  })

  it.each(mistakes)(
    'is told at once to an application on the user’s computer, and to what is no browser: %s',
    async (_name, changes) => {
      expect((await visit(native, changes)).headers.get('location')).toContain('error=')
      const machine = await fetch(createRequest(origin, web, changes).url, { redirect: 'manual' })
      expect(machine.headers.get('location')).toContain('error=')
    },
  )

  it('is nothing that a redirect URI looks like: an answer goes where it should, though that has an error in its name', async () => {
    const client = await createRawClient(origin, { redirectUri: `${GOOD}?error=none` })
    const browser = await signInBrowser(createRequest(origin, client).url, alice)
    const again = await browser.open(createRequest(origin, client).url)
    expect(new URL(again.headers.get('location') ?? '').searchParams.get('code')).not.toBeNull()
  })

  it.each(['code=1', 'code=1&error=none', 'iss=x&state=y&code=1'])(
    'sends nobody on by the look of a redirect URI either: ?%s',
    async (query) => {
      const client = await createRawClient(origin, { redirectUri: `https://evil.example/cb?${query}` })
      for (const [, changes] of mistakes) {
        const response = await visit(client, changes)
        expect([response.status, response.headers.get('location')]).toEqual([400, null])
        await response.body?.cancel()
      }
      const browser = await signInBrowser(createRequest(origin, client).url, alice)
      const again = await browser.open(createRequest(origin, client).url)
      expect(again.headers.get('location')).toMatch(/^https:\/\/evil\.example\/cb\?.*code=/)
    },
  )

  it('is told at once to a client of the configuration, which is no stranger', async () => {
    const known = { client_id: 'gateway', client_secret: { env: 'GATEWAY' }, redirect_uris: [GOOD] }
    const other = await startBrokerStage({ env: { GATEWAY: 'secret-of-the-gateway-0123456789' }, broker: { clients: [known] } })
    try {
      const { url } = createRequest(
        other.proxy.origin,
        { id: 'gateway', redirectUri: GOOD, secret: undefined },
        { prompt: 'none' },
      )
      const response = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } })
      expect(response.headers.get('location')).toContain(`${GOOD}?error=login_required`)
    } finally {
      await other.close()
    }
  })
})

describe('a registration', () => {
  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt://x/%0aalert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://x/1',
    'intent://x#Intent;end',
    'view-source:https://x',
    'about:blank',
    'ftp://x/cb',
    'http://example.com/cb',
    'https://user:password@example.com/cb',
    'cursor://user:password@example/cb',
    'ms-msdt:/id',
    'ms-appinstaller:?source=https://evil.example',
    'MS-AppInstaller:?source=https://evil.example',
    'search:query=x',
    'search-ms:query=x',
    'itms-services://?action=download-manifest&url=https://evil.example',
    'itms-apps://x',
    'x-apple.systempreferences:com.apple.preference',
    'microsoft.windows.camera:x',
    'com.apple.tips:x',
    'windowsdefender:x',
    'calculator:x',
    'ms-officecmd:x',
    'shell:startup',
    'skype:x?call',
    'zoommtg://x',
    'steam://run/1',
    'slack://x',
    'shortcuts://run-shortcut?name=x',
    'app:/cb',
    'example:/cb',
    'com..example:/cb',
    '.com.example:/cb',
    'com.:/cb',
    '127.0.0.1:/cb',
    'https://example.com;frame-ancestors/cb',
    'https://example.com,x/cb',
    "https://'none'/cb",
    `https://example.com/${'x'.repeat(2000)}`,
    'https://example.com/cb#fragment',
    'https://*.example.com/cb',
    'https://example.com/../cb',
    'https:/example.com/cb',
    'https://exam\\ple.com/cb',
    'https://example.com/c b',
    'http://0x7f.1/cb',
    'http://2130706433/cb',
    'http://localhost.evil.example/cb',
    '//example.com/cb',
    '/cb',
    '',
    42,
    null,
    {},
  ])('with nothing but %s is refused (RFC 7591 §3.2.2)', async (redirectUri) => {
    const response = await register(origin, { redirect_uris: [redirectUri] })
    expect([response.status, (await readJson(response)).error]).toEqual([400, 'invalid_redirect_uri'])
  })

  it.each([[undefined], ['https://good.example/cb'], [{}], [[]], [null]])(
    'whose redirect URIs are %j is refused',
    async (uris) => {
      const response = await register(origin, { redirect_uris: uris })
      expect([response.status, (await readJson(response)).error]).toEqual([400, 'invalid_redirect_uri'])
    },
  )

  it('with one usable redirect URI among bad ones is accepted, and only that one works', async () => {
    const uris = ['javascript:alert(1)', 'cursor://anysphere.cursor-mcp/oauth/callback', 'http://evil.example/cb']
    const response = await register(origin, { redirect_uris: uris })
    expect(response.status).toBe(201)
    const answer = await readJson(response)
    expect(answer.redirect_uris).toEqual(['cursor://anysphere.cursor-mcp/oauth/callback'])
    for (const uri of ['javascript:alert(1)', 'http://evil.example/cb'])
      await expectNoRedirect(createRequest(origin, { ...web, id: answer.client_id }, { redirect_uri: uri }).url)
    const cursor: RawClient = { id: answer.client_id, redirectUri: uris[1] ?? '', secret: undefined }
    const { redirect } = await authorize(origin, cursor, alice)
    expect(redirect.protocol).toBe('cursor:')
    expect(redirect.searchParams.get('code')).not.toBeNull()
  })

  it.each([
    'com.example.app:/cb',
    'com.example-inc.my-app:/oauth2redirect',
    'COM.Example.App:/cb',
    'de.beispiel:/cb',
    'com.googleusercontent.apps.123-abc:/cb',
    'vscode://vscode.github-authentication/did-authenticate',
    'vscode-insiders://x/cb',
    'windsurf://codeium.windsurf/cb',
    'claude://cb',
  ])('of an application of its own is accepted: %s (RFC 8252 §7.1)', async (redirectUri) => {
    expect((await register(origin, { redirect_uris: [redirectUri] })).status).toBe(201)
  })

  it('with 300 redirect URIs keeps a bounded number, one of 64 KiB is refused', async () => {
    const uris = Array.from({ length: 300 }, (_, index) => `https://good.example/${index}`)
    const response = await register(origin, { redirect_uris: uris })
    expect((await readJson(response)).redirect_uris).toHaveLength(50)
    expect((await register(origin, { redirect_uris: [`https://good.example/${'x'.repeat(65_536)}`] })).status).toBe(400)
  })
})

describe('answers', () => {
  it.each([
    'plain',
    'ümläut 世界 %0d%0a \r\n <b>',
    's'.repeat(4096),
    's'.repeat(6000),
    '?a=b&c=d#e',
    '\u0000\u0001\u007f',
    '&code=x&state=y',
    '+ %2B',
  ])('repeat the state exactly: %#', async (state) => {
    const { redirect } = await authorize(origin, web, alice, { state })
    expect(redirect.searchParams.getAll('state')).toEqual([state])
  })

  it.each(['?y=a%20b', '?y=a+b&z=%7e~', '?y=', '?y', '?a=1&b=%C3%BC', '?q=%2F%3f'])(
    'leave the redirect URI letter by letter what it was: %s (RFC 6749 §3.1.2)',
    async (query) => {
      const client = await createRawClient(origin, { redirectUri: `${GOOD}${query}` })
      const browser = await signInBrowser(createRequest(origin, client).url, alice)
      for (const changes of [{}, { code_challenge: undefined }]) {
        const { url } = createRequest(origin, client, changes)
        const answer = await browser.open(url, { headers: { accept: 'application/json' } })
        expect(answer.headers.get('location')).toMatch(/[?&](?:code|error)=/)
        expect(answer.headers.get('location')?.startsWith(`${GOOD}${query}&`)).toBe(true)
      }
    },
  )

  it.each(['token', 'id_token', 'code token', 'none', 'nonsense'])(
    'go in the query where the response type is not supported either: %s (RFC 6749 §4.1.2.1)',
    async (type) => {
      const response = await fetch(createRequest(origin, web, { response_type: type }).url, { redirect: 'manual' })
      const location = new URL(response.headers.get('location') ?? '')
      expect([location.searchParams.get('error'), location.searchParams.get('state'), location.hash]).toEqual([
        'unsupported_response_type',
        'a state',
        '',
      ])
    },
  )

  it('name the issuer once, on success and on errors (RFC 9207 §2)', async () => {
    const withIss = await createRawClient(origin, { redirectUri: `${GOOD}?iss=https://evil.example` })
    for (const client of [web, withIss]) {
      const { redirect } = await authorize(origin, client, alice)
      expect(redirect.searchParams.getAll('iss')).toEqual([origin])
      const failed = await fetch(createRequest(origin, client, { code_challenge: undefined }).url, { redirect: 'manual' })
      const location = new URL(failed.headers.get('location') ?? '')
      expect(location.searchParams.get('error')).toBe('invalid_request')
      expect(location.searchParams.getAll('iss')).toEqual([origin])
    }
  })
})
