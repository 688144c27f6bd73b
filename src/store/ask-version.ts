import { type Clock, systemClock } from '../core/clock.ts'
import type { RedisStorePlan } from '../core/plan/store-plan.ts'
import { orTooLate } from './answer-in-time.ts'
import { connectNode, findField } from './redis-node.ts'

/** What a server of the store is. */
export interface ServerVersion {
  /** `redis`, `valkey`. */
  readonly name: string
  readonly version: string
}

const ANSWER_MS = 4000

/**
 * Asks the server of the configuration, or the first node of a cluster, by HELLO, which is open to each user. Sentinels tell their own version
 * only, so that they are not asked.
 *
 * @throws Error when it cannot be reached
 */
export async function askVersion(
  { place, user, tls }: RedisStorePlan,
  clock: Clock = systemClock,
): Promise<ServerVersion | undefined> {
  const node = place.kind === 'server' ? place.node : place.kind === 'cluster' ? place.nodes[0] : undefined
  if (node === undefined) return undefined
  const client = await connectNode(node, { user, tls, at: 'store' }, { clock, milliseconds: ANSWER_MS })
  try {
    const answer = await orTooLate(client.sendCommand(['HELLO']), clock, ANSWER_MS)
    const [name, version] = [findField(answer, 'server'), findField(answer, 'version')]
    return name === undefined || version === undefined ? undefined : { name, version }
  } finally {
    client.destroy()
  }
}
