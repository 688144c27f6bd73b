import { afterAll, beforeAll, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { startTraceReceiver, type TraceReceiver } from '../support/trace-receiver.ts'

const [alice] = SAMPLE_USERS

let receiver: TraceReceiver
let stage: BrokerStage
beforeAll(async () => {
  receiver = await startTraceReceiver()
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  })
  stage = await startBrokerStage({})
})
afterAll(async () => {
  await stage?.close()
  await receiver?.close()
})

it('each request of a sign-in is a span, named by its endpoint, without the user and what is secret', async () => {
  const { origin } = stage.proxy
  const client = await createRawClient(origin)
  const tokens = await obtainTokens(origin, client, alice, { scope: 'mcp:tools' })
  await refresh(origin, client, 'no-token-of-ours')
  const failed = await receiver.waitFor(({ status }) => status.code === 2)
  expect(failed).toMatchObject({ name: 'POST /token', status: { message: 'authorization_refused' } })
  expect(new Set(receiver.spans.map(({ name }) => name))).toEqual(
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
  const ids = new Set(receiver.spans.map(({ spanId }) => spanId))
  const lines = stage.proxy.log.records().filter(({ span_id: id }) => ids.has(String(id)))
  expect(lines.length).toBe(receiver.spans.length)
})
