// What somebody may do changes after they were given tokens; and nobody is taken for somebody else.
import { createServer, type Server } from 'node:http'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  postForm,
  readJson,
  refresh,
  register,
  sendConsent,
} from '../support/broker-client.ts'
import { BROKER_CLIENT, type BrokerStage, type BrokerStageOptions, startBrokerStage } from '../support/broker-stage.ts'
import { ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE } from '../support/machine-stage.ts'

const [alice] = SAMPLE_USERS
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

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

/** A user whose groups a test can change, at a provider whose tokens last a minute. */
function createChangingUser() {
  const claims: Record<string, unknown> = { ...alice.claims, groups: ['staff', 'admins'] }
  const user = { ...alice, mayGrant: ['mcp:tools', 'mcp:admin'], claims }
  return { user, claims, identityProvider: { accessTokenSeconds: 60, clients: [BROKER_CLIENT], users: [user] } }
}
const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

describe('a user', () => {
  it.each([
    ['other ones', ['visitors']],
    ['none', undefined],
  ])('who may no longer sign in, being in %s, loses what they were given when they might', async (_name, groups) => {
    const { user, claims, identityProvider } = createChangingUser()
    const { proxy, url } = await start({ identityProvider, provider: { allow: [{ claim: 'groups', values: ['staff'] }] } })
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, user)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    if (groups === undefined) delete claims.groups
    else claims.groups = groups
    later(120)
    const answer = await refresh(proxy.origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
    expect(await callMcp(url, tokens.access_token)).toBe(401)
  })

  it('who left a group gets its scopes no more (RFC 6749 §6: at most what was granted)', async () => {
    const { user, claims, identityProvider } = createChangingUser()
    const grant = [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }]
    const { proxy } = await start({ identityProvider, provider: { grant } })
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, user, { scope: 'mcp:tools mcp:admin' })
    expect(tokens.scope).toBe('mcp:tools mcp:admin')
    claims.groups = ['staff']
    later(120)
    const fresh = await readJson(await refresh(proxy.origin, client, tokens.refresh_token))
    expect(decodeJwt(fresh.access_token).scope).toBe('mcp:tools')
  })

  it('who may have nothing any more gets no token, not even one without scopes', async () => {
    const { user, claims, identityProvider } = createChangingUser()
    const { proxy } = await start({
      identityProvider,
      provider: { grant: [{ claim: 'groups', values: ['staff'], scopes: ['mcp'] }] },
      // A server that asks for no scopes would take any token.
      servers: (upstream) => [{ name: 'open', path: '/mcp', upstream }],
    })
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, user, { scope: undefined })
    claims.groups = ['visitors']
    later(120)
    const answer = await refresh(proxy.origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
  })
})

describe('a machine that has the name of a user (RFC 9068 §5, RFC 9700 §4.15)', () => {
  it('gets nothing of that user at the identity provider, and neither does who acts for it', async () => {
    const upstream = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    servers.push(upstream)
    const port = await listenOnLoopback(upstream, 0)
    const secret = { client_secret: { env: 'MACHINE' } }
    const { proxy, url } = await start({
      env: { MACHINE: 'secret-of-both-machines-0123456789' },
      broker: {
        clients: [
          { client_id: 'alice', ...secret, grants: ['client_credentials'] },
          { client_id: 'gateway', ...secret, grants: ['token_exchange'] },
        ],
      },
      servers: () => [
        { name: 'x', path: '/mcp', upstream: `http://localhost:${port}/mcp`, credential: 'identity_provider_token' },
      ],
    })
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice, { scope: undefined })
    expect(decodeJwt(tokens.access_token).sub).toBe('alice')
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    const own = { client_id: 'alice', client_secret: 'secret-of-both-machines-0123456789' }
    const machine = await readJson(await postForm(`${proxy.origin}/token`, { grant_type: 'client_credentials', ...own }))
    expect(decodeJwt(machine.access_token).sub).toBe('alice')
    expect(await callMcp(url, machine.access_token)).toBe(401)
    const exchange = { grant_type: TOKEN_EXCHANGE, subject_token: machine.access_token, subject_token_type: ACCESS_TOKEN_TYPE }
    const form = { ...exchange, ...own, client_id: 'gateway' }
    const exchanged = await readJson(await postForm(`${proxy.origin}/token`, form))
    expect(decodeJwt(exchanged.access_token)).toMatchObject({ sub: 'alice', act: { sub: 'gateway' } })
    expect(await callMcp(url, exchanged.access_token)).toBe(401)
  })
})

describe('a stranger', () => {
  it('cannot have us remember ever more sign-ins by sending one form again and again', async () => {
    const { proxy } = await start({ broker: { authorizations_per_minute: 10 } })
    const client = await createRawClient(proxy.origin)
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(proxy.origin, client).url)
    const answers: number[] = []
    for (let time = 0; time < 20; time += 1) answers.push((await sendConsent(browser, page)).status)
    expect(answers.filter((status) => status === 200).length).toBeLessThanOrEqual(10)
    expect(answers.at(-1)).toBe(429)
  })

  it('cannot have us fetch keys from this machine for a client that they registered (SSRF)', async () => {
    const { proxy } = await start()
    let requests = 0
    const listener = createServer((_request, response) => {
      requests += 1
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[]}')
    })
    servers.push(listener)
    const port = await listenOnLoopback(listener, 0)
    const { privateKey } = await generateKeyPair('ES256')
    const now = Math.floor(Date.now() / 1000)
    for (const jwks_uri of [`https://127.0.0.1:${port}/`, `https://localhost:${port}/`, `http://localhost:${port}/`]) {
      const answer = await readJson(
        await register(proxy.origin, {
          redirect_uris: ['https://client.example/cb'],
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri,
        }),
      )
      const id = answer.client_id
      if (id === undefined) continue
      const claims = { iss: id, sub: id, aud: proxy.origin, jti: 'x', iat: now, exp: now + 60 }
      const assertion = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey)
      const form = {
        grant_type: 'refresh_token',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
        refresh_token: 'x',
      }
      const refused = await postForm(`${proxy.origin}/token`, form)
      expect([refused.status, (await readJson(refused)).error]).toEqual([401, 'invalid_client'])
    }
    expect(requests).toBe(0)
  })

  it('cannot have us remember for long that their assertions were used', async () => {
    const { proxy } = await start()
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const { client_id: id } = await readJson(
      await register(proxy.origin, {
        redirect_uris: ['https://client.example/cb'],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'k' }] },
      }),
    )
    const now = Math.floor(Date.now() / 1000)
    const ask = async (seconds: number) => {
      const claims = { iss: id, sub: id, aud: proxy.origin, jti: crypto.randomUUID(), iat: now, exp: now + seconds }
      const assertion = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey)
      const form = {
        grant_type: 'refresh_token',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
        refresh_token: 'x',
      }
      return (await readJson(await postForm(`${proxy.origin}/token`, form))).error
    }
    expect(await ask(300)).toBe('invalid_grant')
    expect(await ask(3000)).toBe('invalid_client')
  })
})
