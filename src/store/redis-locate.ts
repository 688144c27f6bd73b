import type { Clock } from '../core/clock.ts'
import type { RedisNode, RedisPlace, RedisStorePlan } from '../core/plan/store-plan.ts'
import { orTooLate } from './answer-in-time.ts'
import { fail, formatNode, isLasting } from './redis-failure.ts'
import { findField, type RedisAccess, type RedisNodeClient } from './redis-node.ts'
import { ANSWER_MS, createWitness, type Testimony, type Witness } from './redis-witness.ts'

/** Knows which server takes writes. */
export interface Locator {
  /** @throws RedisFailure when it is not known */
  locate(): Promise<Testimony>
  /**
   * Whether the server that was located still is the one.
   *
   * @param client - connected to it
   * @throws RedisFailure when it is not known
   */
  confirm(located: Testimony, client: RedisNodeClient): Promise<boolean>
  close(): void
}

/** @param key - a key of the hash slot that everything is in, for a cluster */
export function createLocator({ place, user, tls }: RedisStorePlan, key: string, clock: Clock): Locator {
  switch (place.kind) {
    case 'server': {
      const located = { master: place.node, epoch: 0 }
      return { locate: async () => located, confirm: async () => true, close() {} }
    }
    case 'sentinel': {
      const access = { user: place.user, tls, at: 'store.sentinel' }
      return askWitnesses(place, access, clock, (client) => askSentinel(client, place.master))
    }
    case 'cluster':
      return askWitnesses(place, { user, tls, at: 'store' }, clock, (client, node) => askClusterNode(client, node, key))
  }
}

/** Asks all of them: one that was cut off from the others knows an older master. */
function askWitnesses(
  { kind, nodes }: Exclude<RedisPlace, { kind: 'server' }>,
  access: RedisAccess,
  clock: Clock,
  ask: (client: RedisNodeClient, node: RedisNode) => Promise<Testimony>,
): Locator {
  const witnesses = nodes.map((node) => createWitness(node, access, clock, ask))
  const what = `no ${kind === 'sentinel' ? 'Sentinel' : 'node'} knows the master`
  return {
    locate: async () => (await hear(witnesses, what)).newest,
    async confirm({ master, epoch }, client) {
      // A node that was located may be none of those that are configured.
      const itself = { testify: () => orTooLate(ask(client, master), clock, ANSWER_MS) }
      const { newest, testimonies } = await hear(kind === 'cluster' ? [...witnesses, itself] : witnesses, what)
      // It takes a moment until all have heard of a new master.
      if (newest.epoch < epoch) throw fail(`${what}: its configuration is newer`, false)
      return testimonies.some((one) => one.epoch === newest.epoch && isSame(one.master, master))
    },
    close() {
      for (const witness of witnesses) witness.close()
    },
  }
}

function isSame(one: RedisNode, other: RedisNode): boolean {
  return formatNode(one) === formatNode(other)
}

interface Heard {
  readonly testimonies: readonly Testimony[]
  readonly newest: Testimony
}

async function hear(witnesses: readonly Pick<Witness, 'testify'>[], what: string): Promise<Heard> {
  const answers = await Promise.allSettled(witnesses.map(({ testify }) => testify()))
  const testimonies = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const [newest] = testimonies.toSorted((one, other) => other.epoch - one.epoch)
  if (newest !== undefined) return { testimonies, newest }
  throw combine(
    what,
    answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : [])),
  )
}

function combine(what: string, reasons: readonly Error[]): Error {
  const lasting = reasons.find(isLasting)
  return lasting ?? fail(`${what}: ${reasons.map(({ message }) => message).join('; ')}`, false)
}

/** A Sentinel that sees no majority of its kind may be cut off: the others may have agreed on another master. */
async function askSentinel(client: RedisNodeClient, name: string): Promise<Testimony> {
  const [answer] = await Promise.all([
    client.sendCommand(['SENTINEL', 'MASTER', name]),
    client.sendCommand(['SENTINEL', 'CKQUORUM', name]),
  ])
  return {
    master: { host: findField(answer, 'ip') ?? '', port: Number(findField(answer, 'port')) },
    epoch: Number(findField(answer, 'config-epoch') ?? 0),
  }
}

/** A range of hash slots: first, last, and its servers, of which the master is the first (CLUSTER SLOTS). */
type SlotRange = readonly [first: number, last: number, master: readonly [host: string | null, port: number], ...unknown[]]

/** A node that sees no majority of the masters says that the cluster is down. */
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
