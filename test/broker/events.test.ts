import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  createRawClient,
  obtainTokens,
  postForm,
  type RawClient,
  refresh,
  register,
} from '../support/broker-client.ts'
import { findSecrets } from '../support/log.ts'
import { ACCESS_TOKEN_TYPE, JWT_BEARER, type MachineStage, startMachineStage, TOKEN_EXCHANGE } from '../support/machine-stage.ts'

const [alice, bob] = SAMPLE_USERS
let stage: MachineStage
let origin: string
let client: RawClient
const secrets: string[] = []

beforeAll(async () => {
  stage = await startMachineStage({
    provider: { allow: [{ claim: 'email', values: ['alice@example.com'] }] },
    broker: { refresh_grace_seconds: 0 },
  })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterAll(() => stage?.close())

/** The events that an action causes. */
async function watch(action: () => Promise<unknown>): Promise<readonly SecurityEvent[]> {
  const before = stage.proxy.events.length
  await action()
  return stage.proxy.events.slice(before)
}

async function signInAlice(scope = 'mcp:tools') {
  const tokens = await obtainTokens(origin, client, alice, { scope })
  secrets.push(tokens.access_token, tokens.refresh_token)
  return tokens
}

const WHERE = { issuer: expect.stringContaining('http://localhost:'), address: '127.0.0.1', requestId: expect.any(String) }

describe('the events of the broker', () => {
  it('tell of a registration with what was registered, and of a refused one', async () => {
    const events = await watch(async () => {
      await createRawClient(origin, { client_name: 'Notes' })
      await register(origin, { redirect_uris: ['http://not-loopback.example/cb'] })
    })
    expect(events).toMatchObject([
      { ...WHERE, kind: 'registration', outcome: 'success', clientName: 'Notes', redirectUris: ['https://client.example/cb'] },
      { ...WHERE, kind: 'registration', outcome: 'invalid_redirect_uri', detail: expect.any(String) },
    ])
  })

  it('tell of a sign-in from consent to token, with user, client, scopes and server', async () => {
    const events = await watch(() => signInAlice())
    const who = { ...WHERE, subject: 'alice', clientId: client.id, scopes: ['mcp:tools'], outcome: 'success', server: 'example' }
    expect(events).toMatchObject([
      { ...who, kind: 'sign_in', identityProvider: stage.identityProvider.issuer },
      { ...who, kind: 'consent', grantId: expect.any(String) },
      { ...who, kind: 'authorization' },
      { ...who, kind: 'token_issued', grantType: 'authorization_code', tokenId: expect.any(String) },
    ])
  })

  it('tell of the user who may not sign in', async () => {
    const events = await watch(() => authorize(origin, client, bob).catch(() => undefined))
    expect(events).toMatchObject([{ kind: 'sign_in', outcome: 'sign_in_denied', subject: 'bob', clientId: client.id }])
  })

  it('tell of a refresh, of a refresh token that was used twice, and of what that ended', async () => {
    const tokens = await signInAlice()
    const events = await watch(async () => {
      await refresh(origin, client, tokens.refresh_token)
      await refresh(origin, client, tokens.refresh_token)
    })
    const who = { ...WHERE, subject: 'alice', clientId: client.id }
    expect(events).toMatchObject([
      { ...who, kind: 'token_refreshed', outcome: 'success', grantType: 'refresh_token', tokenId: expect.any(String) },
      { ...who, kind: 'token_reused', outcome: 'invalid_grant', grantId: expect.any(String) },
      { ...who, kind: 'token_refreshed', outcome: 'invalid_grant', detail: expect.stringContaining('already used') },
    ])
  })

  it.each(['access_token', 'refresh_token'] as const)('tell of a revoked %s', async (name) => {
    const tokens = await signInAlice()
    const events = await watch(() => postForm(`${origin}/revoke`, { token: tokens[name], client_id: client.id }))
    expect(events).toMatchObject([
      { ...WHERE, kind: 'token_revoked', outcome: 'success', subject: 'alice', clientId: client.id, grantId: expect.any(String) },
    ])
  })

  it('tell of tokens for machines: their own, for an assertion, exchanged, and refused', async () => {
    const assertion = await stage.mintAssertion({ email_verified: true })
    const subject = (await signInAlice()).access_token
    secrets.push(assertion)
    const events = await watch(async () => {
      await stage.request({ grant_type: 'client_credentials', resource: `${origin}/mcp` }, 'job')
      const resource = `${origin}/mcp`
      await stage.request({ grant_type: JWT_BEARER, assertion, resource }, 'agent')
      await stage.request({ grant_type: JWT_BEARER, assertion, resource }, 'agent')
      const exchange = { grant_type: TOKEN_EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN_TYPE, resource }
      await stage.request(exchange, 'gateway')
      await stage.request({ ...exchange, subject_token: `${subject}x` }, 'gateway')
      await stage.request({ grant_type: 'password', username: 'alice' }, 'job')
    })
    expect(events).toMatchObject([
      { kind: 'token_issued', outcome: 'success', grantType: 'client_credentials', clientId: 'job', subject: 'job' },
      { kind: 'token_issued', outcome: 'success', grantType: JWT_BEARER, clientId: 'agent', subject: expect.any(String) },
      { kind: 'token_issued', outcome: 'invalid_grant', grantType: JWT_BEARER, clientId: 'agent' },
      { kind: 'token_exchanged', outcome: 'success', clientId: 'gateway', subject: 'alice' },
      { kind: 'token_exchanged', outcome: 'invalid_request', clientId: 'gateway' },
      { kind: 'token_issued', outcome: 'unsupported_grant_type', clientId: 'job' },
    ])
  })

  it('tell of an answer of the identity provider that belongs to no sign-in of this browser', async () => {
    const events = await watch(() => fetch(`${origin}/oauth/callback?code=x&state=unknown`))
    expect(events).toMatchObject([{ ...WHERE, kind: 'sign_in', outcome: 'sign_in_failed', detail: expect.any(String) }])
  })

  it('tell of an authorization request that is refused', async () => {
    const events = await watch(() => fetch(`${origin}/authorize?client_id=nobody&response_type=code`))
    expect(events).toMatchObject([{ ...WHERE, kind: 'authorization', outcome: 'invalid_client', clientId: 'nobody' }])
  })

  it('hold no token, code or secret', () => {
    expect(stage.proxy.events.length).toBeGreaterThan(20)
    expect(findSecrets(JSON.stringify(stage.proxy.events), secrets)).toEqual([])
  })
})
