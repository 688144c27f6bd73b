import type { Clock } from '../core/clock.ts'
import type { RedisNode, RedisPlace, RedisStorePlan } from '../core/plan/store-plan.ts'
import { orTooLate } from './answer-in-time.ts'
import { explainFailure, fail, isLasting } from './redis-failure.ts'
import { connectNode, findField, type RedisAccess, type RedisNodeClient } from './redis-node.ts'

/** Finds the server that takes writes now. Throws RedisFailure when it is not known. */
export type Locate = () => Promise<RedisNode>

/** Milliseconds after which a Sentinel or node has nothing to say. All are asked at the same time. */
const ANSWER_MS = 2000

/** What a Sentinel or node says. */
interface Testimony {
  readonly master: RedisNode
  /** Of several configurations, the one with the highest epoch is the newest. */
  readonly epoch: number
}

/** @param key - a key of the hash slot that everything is in, for a cluster */
export function createLocate({ place, user, tls }: RedisStorePlan, key: string, clock: Clock): Locate {
  switch (place.kind) {
    case 'server':
      return async () => place.node
    case 'sentinel':
      return createWitnesses(place, { user: place.user, tls, at: 'store.sentinel' }, clock, (client) =>
        askSentinel(client, place.master),
      )
    case 'cluster':
      return createWitnesses(place, { user, tls, at: 'store' }, clock, (client, node) => askClusterNode(client, node, key))
  }
}

/** Asks all of them: one that was cut off from the others knows an older master. */
function createWitnesses(
  { kind, nodes }: Exclude<RedisPlace, { kind: 'server' }>,
  access: RedisAccess,
  clock: Clock,
  ask: (client: RedisNodeClient, node: RedisNode) => Promise<Testimony>,
): Locate {
  const askOne = async (node: RedisNode): Promise<Testimony> => {
    const client = await connectNode(node, access, clock, ANSWER_MS)
    try {
      return await orTooLate(ask(client, node), clock, ANSWER_MS)
    } catch (error) {
      throw explainFailure(error, node, access.at)
    } finally {
      client.destroy()
    }
  }
  return async () => {
    const answers = await Promise.allSettled(nodes.map(askOne))
    const testimonies = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const [newest] = testimonies.sort((one, other) => other.epoch - one.epoch)
    if (newest !== undefined) return newest.master
    throw combine(
      `no ${kind === 'sentinel' ? 'Sentinel' : 'node'} knows the master`,
      answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : [])),
    )
  }
}

function combine(what: string, reasons: readonly Error[]): Error {
  const lasting = reasons.find(isLasting)
  return lasting ?? fail(`${what}: ${reasons.map(({ message }) => message).join('; ')}`, false)
}

async function askSentinel(client: RedisNodeClient, name: string): Promise<Testimony> {
  const answer = await client.sendCommand(['SENTINEL', 'MASTER', name])
  return {
    master: { host: findField(answer, 'ip') ?? '', port: Number(findField(answer, 'port')) },
    epoch: Number(findField(answer, 'config-epoch') ?? 0),
  }
}

/** A range of hash slots: first, last, and its servers, of which the master is the first (CLUSTER SLOTS). */
type SlotRange = readonly [first: number, last: number, master: readonly [host: string | null, port: number], ...unknown[]]

async function askClusterNode(client: RedisNodeClient, node: RedisNode, key: string): Promise<Testimony> {
  const state = String(await client.sendCommand(['CLUSTER', 'INFO']))
  if (!state.includes('cluster_state:ok')) throw new Error('CLUSTERDOWN: the cluster is down, as this node sees it')
  const slot = Number(await client.sendCommand(['CLUSTER', 'KEYSLOT', key]))
  const ranges = (await client.sendCommand(['CLUSTER', 'SLOTS'])) as readonly SlotRange[]
  const range = ranges.find(([first, last]) => first <= slot && slot <= last)
  if (range === undefined) throw new Error(`no node has hash slot ${slot}`)
  const [host, port] = range[2]
  // A node that does not know its own address leaves it out: it is the one that was connected to.
  return { master: { host: host || node.host, port }, epoch: Number(/cluster_current_epoch:(\d+)/.exec(state)?.[1] ?? 0) }
}
