import { afterAll, beforeAll, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, type RawClient, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice] = SAMPLE_USERS

let stage: BrokerStage
let origin: string
let client: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({})
  origin = stage.proxy.origin
  client = await createRawClient(origin)
})
afterAll(() => stage?.close())

it('the lines of the broker tell the user, the client and the scopes at each step of a sign-in', async () => {
  const tokens = await obtainTokens(origin, client, alice, { scope: 'mcp:tools' })
  const { sub } = JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString())
  const asked = { client_id: client.id, scopes: ['mcp:tools'] }
  const granted = { ...asked, issuer: origin, subject: sub }
  const findLine = (method: string, path: RegExp) =>
    stage.proxy.log.waitFor((line) => line.method === method && path.test(String(line.path)))
  expect(await findLine('POST', /^\/register$/)).toMatchObject({ client_id: client.id, events: ['registration'] })
  expect(await findLine('GET', /^\/authorize$/)).toMatchObject(asked)
  expect(await findLine('GET', /^\/sign-in\//)).toMatchObject(asked)
  expect(await findLine('POST', /^\/sign-in\//)).toMatchObject(asked)
  const signedIn = { ...granted, events: expect.arrayContaining(['sign_in', 'consent']) }
  expect(await findLine('GET', /^\/oauth\/callback$/)).toMatchObject(signedIn)
  expect(await findLine('GET', /^\/authorize\//)).toMatchObject({ ...granted, events: ['authorization'] })
  expect(await findLine('POST', /^\/token$/)).toMatchObject({ ...granted, events: ['token_issued'] })
  await refresh(origin, client, tokens.refresh_token)
  const refreshed = await stage.proxy.log.waitFor(({ events }) => Array.isArray(events) && events[0] === 'token_refreshed')
  expect(refreshed).toMatchObject({ path: '/token', ...granted })
})

it('the line of a failed request tells the client that it named, and why it failed', async () => {
  await refresh(origin, client, 'no-token-of-ours')
  const line = await stage.proxy.log.waitFor(({ path, code }) => path === '/token' && code === 'authorization_refused')
  expect(line).toMatchObject({ client_id: client.id, cause: expect.stringContaining('invalid_grant') })
  expect(line).not.toHaveProperty('subject')
})
