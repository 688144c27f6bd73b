import { afterAll, beforeAll, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, createRequest, obtainTokens, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { type ClientMetadataServer, startClientMetadataServer } from '../support/client-metadata.ts'
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from '../support/trace-receiver.ts'

const [alice] = SAMPLE_USERS
const SERVER = 2
const CLIENT = 3
const REDIRECT_URI = 'http://localhost:50124/callback'

let receiver: TraceReceiver
let stage: BrokerStage
let published: ClientMetadataServer
beforeAll(async () => {
  receiver = await startTraceReceiver()
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  })
  published = await startClientMetadataServer({
    client_name: 'Published client',
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
  })
  stage = await startBrokerStage({ ca: published.ca })
})
afterAll(async () => {
  await stage?.close()
  await receiver?.close()
  await published?.close()
})

it('each request of a sign-in is a span, named by its endpoint, without the user and what is secret', async () => {
  const { origin } = stage.proxy
  const client = await createRawClient(origin)
  const tokens = await obtainTokens(origin, client, alice, { scope: 'mcp:tools' })
  await refresh(origin, client, 'no-token-of-ours')
  const failed = await receiver.waitFor(({ status }) => status.code === 2)
  expect(failed).toMatchObject({ name: 'POST /token', status: { message: 'authorization_refused' } })
  const requests = receiver.spans.filter(({ kind }) => kind === SERVER)
  expect(new Set(requests.map(({ name }) => name))).toEqual(
    new Set([
      'POST /register',
      'GET /authorize',
      'GET /sign-in/{id}',
      'POST /sign-in/{id}',
      'GET /oauth/callback',
      'GET /authorize/{id}',
      'POST /token',
    ]),
  )
  const { sub } = JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString())
  for (const secret of [sub, client.id, tokens.access_token, tokens.refresh_token, 'no-token-of-ours', 'code='])
    expect(receiver.text()).not.toContain(secret)
  const ids = new Set(requests.map(({ spanId }) => spanId))
  const lines = stage.proxy.log.records().filter(({ span_id: id }) => ids.has(String(id)))
  expect(lines.length).toBe(requests.length)
})

it('each request to the identity provider is a span within the request that waits for it, and has no query', async () => {
  const { origin } = stage.proxy
  await obtainTokens(origin, await createRawClient(origin), alice, { scope: 'mcp:tools' })
  const { issuer } = stage.identityProvider
  const span = await receiver.waitFor(({ attributes }) => attributes['url.full'] === `${issuer}/token`)
  const request = await receiver.waitFor(({ spanId }) => spanId === span.parentSpanId)
  expect(request.name).toBe('GET /oauth/callback')
  expect(span.attributes).toMatchObject({ 'http.request.method': 'POST', 'http.response.status_code': 200 })
})

it('the fetch of a client’s document is a span that does not tell whose it is', async () => {
  const { origin } = stage.proxy
  const client = { id: published.clientId, redirectUri: REDIRECT_URI, secret: undefined }
  await fetch(createRequest(origin, client, { scope: 'mcp:tools' }).url, { redirect: 'manual' })
  expect(published.fetches()).toBe(1)
  const isAnonymous = ({ kind, attributes }: ReceivedSpan) => kind === CLIENT && !('url.full' in attributes)
  const span = await receiver.waitFor(isAnonymous)
  expect(span).toMatchObject({ name: 'GET' })
  expect(span.attributes).toEqual({ 'http.request.method': 'GET', 'http.response.status_code': 200 })
  expect((await receiver.waitFor(({ spanId }) => spanId === span.parentSpanId)).name).toBe('GET /authorize')
  expect(receiver.text()).not.toContain(new URL(published.clientId).port)
})
