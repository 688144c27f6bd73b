// Request targets in other spellings (RFC 9112 §3.2): each counts as what it is, and says nothing of who we are.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRequest, type RawClient } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { type RawResponse, sendRaw } from '../support/raw-client.ts'

const PER_MINUTE = 2

let stage: BrokerStage
let port: number
let address = 0

beforeAll(async () => {
  stage = await startBrokerStage({
    broker: {
      token_requests_per_minute: PER_MINUTE,
      authorizations_per_minute: PER_MINUTE,
      registration: { per_minute: PER_MINUTE },
    },
    config: { trusted_proxies: ['127.0.0.0/8', '::1'], allowed_hosts: ['*'] },
  })
  port = Number(new URL(stage.proxy.origin).port)
})
afterAll(() => stage?.close())

interface Sent {
  readonly method: string
  readonly target: string
  readonly host?: string
  readonly type?: string
  readonly body?: string
}

function send({ method, target, host = `localhost:${port}`, type = 'application/x-www-form-urlencoded', body = '' }: Sent) {
  const fields = [
    `Host: ${host}`,
    `X-Forwarded-For: ${128 + address}.0.113.7`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Accept: application/json',
    'Connection: close',
  ]
  return sendRaw(port, `${method} ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${body}`)
}

/** Sends the same twelve times, from a network that has sent nothing so far. */
async function sendOften(sent: Sent): Promise<number[]> {
  address += 1
  const answers: RawResponse[] = []
  for (let time = 0; time < 12; time += 1) answers.push(await send(sent))
  return answers.map(({ status }) => status)
}

const registration = { type: 'application/json', body: JSON.stringify({ redirect_uris: ['https://client.example/cb'] }) }
const guess = { body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x', client_id: 'x' }).toString() }
const client: RawClient = { id: 'nobody', redirectUri: 'https://client.example/cb', secret: undefined }
const question = () => createRequest(stage.proxy.origin, client).url.search

/** By what comes in front of the path, and behind it. */
const SPELLINGS = [
  ['as it should be', '', ''],
  ['with an empty query', '', '?'],
  ['with a query', '', '?x=1'],
  ['with a scheme and host', 'http://HOST', ''],
  ['with a scheme and host in other letters', 'HTTP://HOST', ''],
  ['with a scheme that is not ours', 'https://HOST', '?'],
] as const

describe.each(SPELLINGS)('a target %s', (_name, before, after) => {
  const at = (path: string, query: string = after) => `${before.replace('HOST', `localhost:${port}`)}${path}${query}`

  it('is bounded like any other', async () => {
    const kept = (statuses: number[]) => statuses.filter((status) => status !== 429).length
    expect(kept(await sendOften({ method: 'POST', target: at('/register'), ...registration }))).toBe(PER_MINUTE)
    expect(kept(await sendOften({ method: 'POST', target: at('/token'), ...guess }))).toBe(PER_MINUTE)
    expect(kept(await sendOften({ method: 'POST', target: at('/revoke'), ...guess }))).toBe(PER_MINUTE)
    for (const method of ['GET', 'HEAD', 'POST'])
      expect([method, kept(await sendOften({ method, target: at('/authorize', question()) }))]).toEqual([method, PER_MINUTE])
  })
})

describe('a path in another spelling', () => {
  it.each([
    '//x/register',
    '//register',
    '/register/',
    '/Register',
    '/%72egister',
    '/register;x',
    '/./register',
    '/x/../register',
    '/token/',
    '/authorize/',
    '/authorize/?x',
    '/AUTHORIZE/x',
  ])('%s is no path of ours', async (target) => {
    for (const before of ['', `http://localhost:${port}`]) {
      const answer = await send({ method: 'POST', target: `${before}${target}`, ...registration })
      expect([before + target, answer.status]).toEqual([before + target, 404])
      const seen = await send({ method: 'GET', target: `${before}${target}` })
      expect([before + target, seen.status]).toEqual([before + target, 404])
    }
  })

  it('never names the sign-in that goes on', async () => {
    for (const id of ['%61bc', 'abc%2F', 'a%00', '~', '*', ':x', 'a=b'])
      expect([id, (await send({ method: 'GET', target: `/authorize/${id}` })).status]).toEqual([id, 404])
  })
})

describe('a host that a request names', () => {
  it('is not what our documents and pages say of us, whatever the form of the target', async () => {
    const path = '/.well-known/oauth-authorization-server'
    for (const target of [path, `http://evil.example${path}`, `https://evil.example${path}`]) {
      const answer = await send({ method: 'GET', target, host: 'evil.example' })
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        issuer: stage.proxy.origin,
        token_endpoint: `${stage.proxy.origin}/token`,
      })
      expect(answer.body.toString()).not.toContain('evil.example')
    }
  })
})
