import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { vi } from 'vitest'
import { findFreePort, findFreePorts } from './free-port.ts'
import { type RedisServer, startProgram, startRedisServer } from './redis-server.ts'

const run = promisify(execFile)

/** How all servers of a fleet are started. */
export interface FleetOptions {
  /** In place of Redis. */
  readonly program?: string
  /** More of the command line of each server. */
  readonly settings?: readonly string[]
  /** Lines for the configuration of each Sentinel. */
  readonly sentinelLines?: readonly string[]
  /** Of a master behind Sentinels. */
  readonly replicas?: number
}

export interface SentinelFleet {
  /** The first is the master at first. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** Starts a server that has ended, as a replica of the master that there is now. */
  restart(server: RedisServer): Promise<void>
  close(): Promise<void>
}

/** Sentinels and nodes of a cluster answer nothing while they wait for a disk (fsync of their configuration), which others may keep busy. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export const MASTER_NAME = 'mcp-store'

/** A master, its replicas (one unless given), and three Sentinels that give a master up after half a second. */
export async function startSentinelFleet({
  program,
  settings = [],
  sentinelLines = [],
  replicas = 1,
}: FleetOptions = {}): Promise<SentinelFleet> {
  const folder = mkdtempSync(join(MEMORY, 'sentinels-'))
  const shared = { ...(program !== undefined && { program }) }
  const master = await startRedisServer({ ...shared, settings: [...settings, ...keepFiles(folder, 'master')] })
  const follow = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0']
  const startReplica = (number: number) =>
    startRedisServer({ ...shared, settings: [...settings, ...keepFiles(folder, `replica-${number}`), ...follow] })
  const followers = await Promise.all(Array.from({ length: replicas }, (_, number) => startReplica(number)))
  const startSentinel = async (number: number): Promise<RedisServer> => {
    const port = await findFreePort()
    const file = join(folder, `sentinel-${number}.conf`)
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} 500`,
      `sentinel failover-timeout ${MASTER_NAME} 3000`,
      ...sentinelLines,
    ]
    writeFileSync(file, lines.join('\n'))
    return startProgram(port, program, [file, '--sentinel'])
  }
  const sentinels = await Promise.all([1, 2, 3].map(startSentinel))
  const servers = [master, ...followers]
  return {
    servers,
    sentinels,
    async restart({ port }) {
      const { port: current } = await askForMaster(sentinels)
      const others = [...settings, ...keepFiles(folder, String(port)), '--replicaof', '127.0.0.1', String(current)]
      servers[servers.findIndex((one) => one.port === port)] = await startRedisServer({ ...shared, port, settings: others })
    },
    async close() {
      await Promise.all([...sentinels, ...servers].map((one) => one.close('SIGKILL')))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until Sentinels know each other and the replicas: before that they can't agree on anything. */
export async function waitForQuorum({ servers, sentinels }: SentinelFleet, password?: string): Promise<void> {
  const clients = await Promise.all(
    sentinels.map(({ url }) => createClient({ url, ...(password !== undefined && { password }) }).connect()),
  )
  const knows = async (client: (typeof clients)[number]): Promise<boolean> => {
    const master = (await client.sendCommand(['SENTINEL', 'MASTER', MASTER_NAME])) as unknown as Record<string, string>
    return (
      master['num-other-sentinels'] === '2' && Number(master['num-slaves']) === servers.length - 1 && master.flags === 'master'
    )
  }
  await vi.waitUntil(async () => (await Promise.all(clients.map(knows))).every(Boolean), { timeout: 30_000, interval: 100 })
  for (const client of clients) client.destroy()
}

/** Waits until each replica receives what its master writes: Sentinels know a replica long before. */
export async function waitForSync({ servers: [, ...replicas] }: SentinelFleet, password?: string): Promise<void> {
  const access = password !== undefined && { password }
  const clients = await Promise.all(replicas.map(({ url }) => createClient({ url, ...access }).connect()))
  const isUp = async (client: (typeof clients)[number]): Promise<boolean> =>
    String(await client.sendCommand(['INFO', 'replication'])).includes('master_link_status:up')
  await vi.waitUntil(async () => (await Promise.all(clients.map(isUp))).every(Boolean), { timeout: 30_000, interval: 100 })
  for (const client of clients) client.destroy()
}

export interface Cluster {
  /** Masters first. */
  readonly nodes: readonly RedisServer[]
  close(): Promise<void>
}

/** A cluster of three masters, that gives a node up after a second. */
export async function startCluster(
  replicasEach: 0 | 1,
  { program, settings = [] }: FleetOptions = {},
  cli: readonly string[] = [],
): Promise<Cluster> {
  const folder = mkdtempSync(join(MEMORY, 'cluster-'))
  const ports = await findFreePorts(2 * (3 + 3 * replicasEach))
  const start = (number: number): Promise<RedisServer> => {
    const file = [
      '--cluster-enabled',
      'yes',
      '--cluster-config-file',
      join(folder, `${number}.conf`),
      '--cluster-node-timeout',
      '1000',
    ]
    // The default for the bus, 10000 above, may be no port at all.
    const bus = ['--cluster-port', String(ports[2 * number]), '--repl-diskless-sync-delay', '0']
    const shared = { port: ports[2 * number + 1] ?? 0, ...(program !== undefined && { program }) }
    return startRedisServer({ ...shared, settings: [...file, ...bus, ...keepFiles(folder, String(number)), ...settings] })
  }
  const nodes = await Promise.all(Array.from({ length: ports.length / 2 }, (_, number) => start(number)))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await createClusterOf(addresses, replicasEach, cli)
  await vi.waitUntil(async () => (await Promise.all(nodes.map((node) => isWhole(node, nodes.length, cli)))).every(Boolean), {
    timeout: 30_000,
    interval: 100,
  })
  return {
    nodes,
    async close() {
      await Promise.all(nodes.map((one) => one.close('SIGKILL')))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function isWhole({ port }: RedisServer, size: number, cli: readonly string[]): Promise<boolean> {
  const { stdout } = await run('redis-cli', [...cli, '-p', String(port), 'cluster', 'info'])
  return stdout.includes('cluster_state:ok') && stdout.includes(`cluster_known_nodes:${size}\r`)
}

async function createClusterOf(addresses: readonly string[], replicasEach: number, cli: readonly string[]): Promise<void> {
  const order = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicasEach), '--cluster-yes']
  await run('redis-cli', [...cli, ...order]).catch((error: { stdout?: string }) => {
    throw new Error(`redis-cli: ${error.stdout}`)
  })
}

/** Replication writes its snapshots there, and a start reads what lies there. */
function keepFiles(folder: string, name: string): string[] {
  return ['--dir', folder, '--dbfilename', `${name}.rdb`]
}

/** Moves the hash slot of a key to another node, key by key (CLUSTER SETSLOT). */
export async function beginMove({ nodes }: Cluster, key: string) {
  const clients = await Promise.all(nodes.map(({ url }) => createClient({ url }).connect()))
  const [first] = clients
  const slot = Number(await first?.sendCommand(['CLUSTER', 'KEYSLOT', key]))
  const ids = await Promise.all(clients.map(async (client) => String(await client.sendCommand(['CLUSTER', 'MYID']))))
  const counts = await Promise.all(clients.map((client) => client.sendCommand(['CLUSTER', 'COUNTKEYSINSLOT', String(slot)])))
  const from = counts.findIndex((count) => Number(count) > 0)
  const to = (from + 1) % nodes.length
  const set = (at: number, ...order: string[]) => clients[at]?.sendCommand(['CLUSTER', 'SETSLOT', String(slot), ...order])
  await set(to, 'IMPORTING', ids[from] ?? '')
  await set(from, 'MIGRATING', ids[to] ?? '')
  return {
    take: (one: string) => clients[from]?.sendCommand(['MIGRATE', '127.0.0.1', String(nodes[to]?.port), one, '0', '5000']),
    async end() {
      for (const at of [to, from]) await set(at, 'NODE', ids[to] ?? '')
      for (const client of clients) client.destroy()
    },
  }
}

async function askForMaster([sentinel]: readonly RedisServer[]): Promise<{ port: number }> {
  const client = await createClient({ url: sentinel?.url ?? '' }).connect()
  const [, port] = (await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME])) as unknown as string[]
  client.destroy()
  return { port: Number(port) }
}

/** The server that the Sentinels take for the master. */
export async function findMaster({ servers, sentinels }: SentinelFleet): Promise<RedisServer> {
  const { port } = await askForMaster(sentinels)
  const master = servers.find((one) => one.port === port)
  if (master === undefined) throw new Error(`no server on port ${port}`)
  return master
}

/** Has the replica become the master (SENTINEL FAILOVER). */
export async function promote(fleet: SentinelFleet): Promise<void> {
  const [master] = fleet.servers
  const client = await createClient({ url: fleet.sentinels[0]?.url ?? '' }).connect()
  await client.sendCommand(['SENTINEL', 'FAILOVER', MASTER_NAME])
  await vi.waitUntil(async () => (await findMaster(fleet)) !== master, { timeout: 30_000, interval: 100 })
  client.destroy()
}

type SlotRange = readonly [first: number, last: number, ...servers: (readonly [host: string, port: number])[]]

/** The servers of the hash slot of a key: the master, then its replicas. */
export async function findOwner({ nodes }: Cluster, key: string): Promise<RedisServer[]> {
  const client = await createClient({ url: nodes[0]?.url ?? '' }).connect()
  const slot = Number(await client.sendCommand(['CLUSTER', 'KEYSLOT', key]))
  const ranges = (await client.sendCommand(['CLUSTER', 'SLOTS'])) as unknown as SlotRange[]
  client.destroy()
  const [, , ...servers] = ranges.find(([first, last]) => first <= slot && slot <= last) ?? [0, 0]
  return servers.flatMap(([, port]) => nodes.filter((node) => node.port === port))
}

/** Has a replica take over a hash slot, in agreement with its master (CLUSTER FAILOVER). */
export async function failOver(cluster: Cluster, key: string): Promise<void> {
  const [, replica] = await findOwner(cluster, key)
  const client = await createClient({ url: replica?.url ?? '' }).connect()
  await client.sendCommand(['CLUSTER', 'FAILOVER'])
  await vi.waitUntil(async () => (await findOwner(cluster, key))[0] === replica, { timeout: 30_000, interval: 100 })
  client.destroy()
}
