// What one address may ask of the authorization server within a minute (RFC 6585 §4).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, createRequest, obtainTokens, postForm, type RawClient, readJson } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice] = SAMPLE_USERS
const OFFICE = '203.0.113.7'
const ELSEWHERE = '203.0.113.8'
const SERVER_SECRET = 'secret-of-a-server-0123456789abcdef'

let stage: BrokerStage
let origin: string
let client: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({
    broker: {
      token_requests_per_minute: 5,
      authorizations_per_minute: 5,
      clients: [
        {
          client_id: 'server',
          client_secret: { env: 'SERVER' },
          redirect_uris: ['https://server.example/cb'],
          servers: ['example'],
        },
      ],
    },
    env: { SERVER: SERVER_SECRET },
    config: { trusted_proxies: ['127.0.0.0/8', '::1'] },
  })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterAll(() => stage?.close())

const from = (address: string) => ({ 'x-forwarded-for': address })
const guess = (address: string, path = '/token') =>
  postForm(
    `${origin}${path}`,
    { grant_type: 'refresh_token', refresh_token: 'guess', token: 'guess', client_id: client.id },
    from(address),
  )

describe('a client that guesses at the token endpoint', () => {
  it('is told to wait, by an answer that says how long, also to pages of other origins, while others go on', async () => {
    const statuses: number[] = []
    for (let time = 0; time < 5; time += 1) statuses.push((await guess(OFFICE)).status)
    expect(statuses).toEqual([400, 400, 400, 400, 400])
    const refused = await guess(OFFICE)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect(refused.headers.get('cache-control')).toBe('no-store')
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    expect(refused.headers.get('access-control-expose-headers')).toBe('retry-after')
    expect(await readJson(refused)).toMatchObject({
      error: 'temporarily_unavailable',
      error_description: expect.stringMatching(/too many token requests from this address, try again in \d+ s/),
    })
    expect(stage.proxy.log.text()).toContain('token_requests_limited')
    expect((await guess(OFFICE, '/revoke')).status).toBe(429)
    expect((await guess(ELSEWHERE)).status).toBe(400)
    expect((await obtainTokens(origin, client, alice)).token_type).toBe('Bearer')
  })
})

describe('introspection (RFC 6749 §2.3.1, RFC 7662 §4)', () => {
  const ask = (id: string, secret: string, address: string) => {
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
    return postForm(`${origin}/introspect`, { token: 'guess' }, { authorization, ...from(address) })
  }

  it('is bounded for those who guess a secret, while servers of the configuration ask as often as they like', async () => {
    const [guesser, busy] = ['203.0.113.20', '198.51.100.21']
    for (let time = 0; time < 20; time += 1) expect((await ask('server', SERVER_SECRET, busy)).status).toBe(200)
    for (let time = 0; time < 5; time += 1) expect((await ask('server', `guess-${time}`, guesser)).status).toBe(401)
    const refused = await ask('server', SERVER_SECRET, guesser)
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect((await guess(guesser)).status).toBe(400)
    expect((await ask('server', SERVER_SECRET, busy)).status).toBe(200)
  })

  it('is bounded for clients that registered themselves, though they know their secret, and for what cannot be read', async () => {
    const stranger = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_basic' })
    const [asking, sending] = ['192.0.2.30', '192.0.3.30']
    for (let time = 0; time < 5; time += 1) expect((await ask(stranger.id, stranger.secret ?? '', asking)).status).toBe(200)
    expect((await ask(stranger.id, stranger.secret ?? '', asking)).status).toBe(429)
    for (let time = 0; time < 5; time += 1) expect((await postForm(`${origin}/introspect`, {}, from(sending))).status).toBe(400)
    expect((await postForm(`${origin}/introspect`, {}, from(sending))).status).toBe(429)
  })
})

describe('a client that begins sign-in after sign-in', () => {
  it('gets a page in a browser, an answer of the protocol elsewhere, and neither speaks of registrations', async () => {
    const { url } = createRequest(origin, client)
    const begin = (accept: string) => fetch(url, { redirect: 'manual', headers: { accept, ...from('203.0.113.9') } })
    for (let time = 0; time < 5; time += 1) expect((await begin('text/html')).status).toBe(303)
    const page = await begin('text/html,*/*;q=0.8')
    expect([page.status, page.headers.get('content-type')]).toEqual([429, 'text/html; charset=utf-8'])
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await page.text()).toContain('Too many sign-ins')
    const answer = await begin('application/json')
    expect([answer.status, await readJson(answer)]).toMatchObject([429, { error: 'temporarily_unavailable' }])
    expect(stage.proxy.log.text()).toContain('sign_ins_limited')
    expect(stage.proxy.log.text()).not.toContain('registration_limited')
  })
})
