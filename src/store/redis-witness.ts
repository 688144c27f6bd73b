import type { Clock } from '../core/clock.ts'
import type { RedisNode } from '../core/plan/store-plan.ts'
import { discard, orTooLate } from './answer-in-time.ts'
import { explainFailure } from './redis-failure.ts'
import { connectNode, type RedisAccess, type RedisNodeClient } from './redis-node.ts'

/** What a Sentinel or node of a cluster says. */
export interface Testimony {
  readonly master: RedisNode
  /** Of several configurations, the one with the highest epoch is the newest. */
  readonly epoch: number
}

/** A Sentinel, or a node of a cluster. */
export interface Witness {
  /** @throws RedisFailure without an answer in time */
  testify(): Promise<Testimony>
  close(): void
}

/** Milliseconds after which a Sentinel or node has nothing to say. All are asked at the same time. */
export const ANSWER_MS = 2000

/** Keeps the connection: it is asked every few seconds, for as long as the process lives. */
export function createWitness(
  node: RedisNode,
  access: RedisAccess,
  clock: Clock,
  ask: (client: RedisNodeClient, node: RedisNode) => Promise<Testimony>,
): Witness {
  let kept: RedisNodeClient | undefined
  let opening: Promise<RedisNodeClient> | undefined
  let isClosed = false
  const open = async () => {
    const client = await connectNode(node, access, { clock, milliseconds: ANSWER_MS })
    kept = client
    if (isClosed) discard(client)
    return client
  }
  const connect = () => {
    opening ??= open().finally(() => {
      opening = undefined
    })
    return opening
  }
  return {
    async testify() {
      const client = kept?.isReady ? kept : await connect()
      try {
        return await orTooLate(ask(client, node), clock, ANSWER_MS)
      } catch (error) {
        discard(client)
        throw explainFailure(error, node, access.at)
      }
    },
    close() {
      isClosed = true
      if (kept !== undefined) discard(kept)
    },
  }
}
