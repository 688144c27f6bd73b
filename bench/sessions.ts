import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { createRawClient, obtainTokens, type RawClient, readJson, refresh } from '../test/support/broker-client.ts'
import { findFreePort } from '../test/support/free-port.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import type { BrokerArgument } from './broker.ts'
import { type Child, startChild } from './child.ts'
import { createLogSink } from './log-sink.ts'
import { findProgram } from './programs.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'

/**
 * What the broker's sessions cost with each store: sign-ins of new clients (registration, the pages of the identity provider and the
 * consent, code and tokens) and refreshes, a second and in processor time of the proxy. Without `redis-server`, Redis is left out.
 * `--quick` takes less time.
 */

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const LANES = 8
const rounds = flags.quick ? 2 : 5
const seconds = flags.quick ? 1.5 : 3
const [alice] = SAMPLE_USERS

/** How often something was done, and what each took of the proxy. */
interface Rate {
  readonly perSecond: number
  readonly cpuMilliseconds: number
}

interface Contender {
  readonly name: string
  readonly broker: Child
  /** A client with a refresh token for each lane; one that is new replaces the one before. */
  readonly lanes: { client: RawClient; refreshToken: string }[]
  readonly signIns: Rate[]
  readonly refreshes: Rate[]
}

const closing: (() => Promise<void>)[] = []
const folder = mkdtempSync(join(tmpdir(), 'bench-sessions-'))
const log = createLogSink()
try {
  const contenders: Contender[] = []
  for (const [name, store] of await findStores()) contenders.push(await startContender(name, store))
  for (let round = 0; round < rounds; round++) for (const contender of contenders) await measureRound(contender)
  console.log(formatRates(contenders))
} finally {
  for (const close of closing.reverse()) await close()
  log.remove()
  rmSync(folder, { recursive: true })
}

async function findStores(): Promise<[name: string, store: BrokerArgument['store']][]> {
  const stores: [string, BrokerArgument['store']][] = [
    ['memory', { kind: 'memory' }],
    ['SQLite', { kind: 'sqlite', path: join(folder, 'broker.db') }],
  ]
  if (findProgram('redis-server') === undefined) {
    console.log('Redis is not installed: left out')
    return stores
  }
  const redis = await startRedisServer()
  closing.push(() => redis.close())
  return [...stores, ['Redis', { kind: 'redis', url: redis.url }]]
}

async function startContender(name: string, store: BrokerArgument['store']): Promise<Contender> {
  const upstream = await start('upstream.ts')
  const provider = await start('identity-provider.ts')
  const argument: BrokerArgument = {
    port: await findFreePort(),
    identityProvider: `http://localhost:${provider.port}`,
    upstream: `http://127.0.0.1:${upstream.port}/mcp`,
    store,
  }
  const broker = await start('broker.ts', { argument, output: log.descriptor })
  const lanes = await Promise.all(Array.from({ length: LANES }, () => signIn(broker)))
  return { name, broker, lanes, signIns: [], refreshes: [] }
}

async function start(...args: Parameters<typeof startChild>): Promise<Child> {
  const child = await startChild(...args)
  closing.push(() => child.stop())
  return child
}

async function signIn({ port }: Child): Promise<Contender['lanes'][number]> {
  const origin = `http://localhost:${port}`
  const client = await createRawClient(origin)
  const { refresh_token: refreshToken } = await obtainTokens(origin, client, alice)
  return { client, refreshToken }
}

async function measureRound({ broker, lanes, signIns, refreshes }: Contender): Promise<void> {
  signIns.push(await measure(broker, () => signIn(broker)))
  const again = async (lane: number): Promise<void> => {
    const { client, refreshToken } = lanes[lane]!
    const response = await refresh(`http://localhost:${broker.port}`, client, refreshToken)
    const answer = await readJson(response)
    if (response.status !== 200) throw new Error(`a refresh was refused: ${JSON.stringify(answer)}`)
    lanes[lane] = { client, refreshToken: answer.refresh_token }
  }
  refreshes.push(await measure(broker, again))
}

/** Does something in every lane, again and again. */
async function measure(broker: Child, run: (lane: number) => Promise<unknown>): Promise<Rate> {
  let done = 0
  const cpu = await broker.ask<number>('cpu')
  const startedAt = performance.now()
  const keepOn = async (lane: number): Promise<void> => {
    for (; performance.now() < startedAt + seconds * 1000; done++) await run(lane)
  }
  await Promise.all(Array.from({ length: LANES }, (_, lane) => keepOn(lane)))
  const passed = (performance.now() - startedAt) / 1000
  return { perSecond: done / passed, cpuMilliseconds: ((await broker.ask<number>('cpu')) - cpu) / done / 1000 }
}

function formatRates(contenders: readonly Contender[]): string {
  const rows = contenders.map(({ name, signIns, refreshes }) => [
    name,
    ...[signIns, refreshes].flatMap((rates) => [
      median(rates.map(({ perSecond }) => perSecond)).toFixed(0),
      median(rates.map(({ cpuMilliseconds }) => cpuMilliseconds)).toFixed(2),
    ]),
  ])
  const heading = ['', 'sign-ins/s', 'CPU ms each', 'refreshes/s', 'CPU ms each']
  return `${LANES} at a time, ${rounds} rounds of ${seconds} s, medians of the rounds\n\n${formatTable([heading, ...rows])}`
}
