// A proxy that is killed in the middle of things, with a store that others share.
import { afterAll, describe } from 'vitest'
import { tellCrashes } from '../support/crash-story.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'

describe.skipIf(!hasRedisServer())('a proxy that is killed, with Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer | undefined
  afterAll(() => redis?.close())

  tellCrashes(0, async () => {
    redis = await startRedisServer()
    return { kind: 'redis', url: redis.url }
  })
})
