// Redis stands still while it is asked: commands are lost or carried out much later, and their answers come too late.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  callMcp,
  createRawClient,
  createRequest,
  obtainTokens,
  postForm,
  type RawClient,
  readJson,
  redeem,
  refresh,
  register,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const [alice] = SAMPLE_USERS

describe.skipIf(!hasRedisServer())('a broker whose Redis stands still', { timeout: 60_000 }, () => {
  let redis: RedisServer
  let stage: BrokerStage
  let origin: string
  let client: RawClient

  beforeAll(async () => {
    redis = await startRedisServer()
    stage = await startBrokerStage({
      broker: {
        store: { kind: 'redis', url: redis.url },
        encryption_keys: [{ env: 'KEY' }],
        refresh_grace_seconds: 0,
      },
      env: { KEY: Buffer.alloc(32, 'key of tests').toString('base64') },
    })
    origin = stage.proxy.origin
    client = await createRawClient(origin)
  })
  afterAll(async () => {
    redis?.thaw()
    await stage?.close()
    await redis?.close()
  })

  it('answers everything with 503 in the meantime, and everything can be sent again', async () => {
    const code = await authorize(origin, client, alice)
    const renewed = await obtainTokens(origin, client, alice)
    const revoked = await obtainTokens(origin, client, alice)
    const asks: Record<string, () => Promise<Response>> = {
      code: () => redeem(origin, client, code),
      refresh: () => refresh(origin, client, renewed.refresh_token),
      revocation: () => postForm(`${origin}/revoke`, { token: revoked.refresh_token, client_id: client.id }),
      registration: () => register(origin, { client_name: 'Another', redirect_uris: ['https://client.example/cb'] }),
      authorization: () => fetch(createRequest(origin, client).url, { redirect: 'manual' }),
    }
    const names = Object.keys(asks)
    const askAll = () => Promise.all(Object.values(asks).map((ask) => ask()))
    redis.freeze()
    const first = await askAll()
    expect(first.map(({ status }, at) => [names[at], status])).toEqual(names.map((name) => [name, 503]))
    for (const { headers } of first) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    redis.thaw()
    await waitUntil(async () => (await fetch(`${origin}/readyz?for=broker`)).status === 200, 'the broker is ready')
    const [byCode, byRefresh, ...others] = await askAll()
    for (const answer of [byCode, byRefresh]) {
      const { access_token: token } = await readJson(answer as Response)
      expect(await callMcp(stage.url, token)).toBe(200)
    }
    expect(others.map(({ status }) => status)).toEqual([200, 201, 303])
    expect(await callMcp(stage.url, revoked.access_token)).toBe(401)
    expect(stage.proxy.log.text()).not.toContain('internal_error')
  })
})
