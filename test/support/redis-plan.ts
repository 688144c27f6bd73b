import type { RedisStorePlan } from '../../src/core/plan/store-plan.ts'

const NOBODY = { username: undefined, password: undefined }

/** The plan of a store on one Redis on this machine, unless told otherwise. */
export function createRedisPlan(port: number, more: Partial<RedisStorePlan> = {}): RedisStorePlan {
  return {
    kind: 'redis',
    place: { kind: 'server', node: { host: '127.0.0.1', port }, database: 0 },
    user: NOBODY,
    tls: undefined,
    prefix: 'test:',
    waitForReplicas: 0,
    ...more,
  }
}
