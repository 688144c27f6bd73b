// Two replicas with one configuration behind a load balancer, as the samples have them; one is killed, stopped or hangs under load.
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listProcesses, waitUntil } from '../support/processes.ts'
import { hasRedisServer } from '../support/redis-server.ts'
import { startNginx } from './support/balancers.ts'
import { type Fleet, startFleet } from './support/fleet/fleet.ts'
import type { Entry, Span } from './support/fleet/journal.ts'
import { STATELESS } from './support/fleet/players.ts'
import { useSession } from './support/fleet/sessions.ts'
import { startTraffic, type Traffic } from './support/fleet/traffic.ts'
import { hasProgram } from './support/programs.ts'
import { openStreams } from './support/streams.ts'
import { reportTarget } from './support/target.ts'

/** Until the load balancer has noticed on a busy machine: two checks, half a second apart, of two seconds each. */
const NOTICED_MS = 6000
/** Requests between two steps. */
const STEADY = 150

const runs = hasRedisServer() && hasProgram('haproxy', '-v')

const startUsers = ({ origin, mint }: Fleet): Traffic =>
  startTraffic({
    origin,
    mint,
    pauseMs: 20,
    users: Array.from({ length: 16 }, (_, index) => (index % 4 === 0 ? [useSession] : STATELESS)),
  })

const untilSent = ({ journal }: Traffic, more: number): Promise<void> => {
  const before = journal.entries.length
  return waitUntil(() => journal.entries.length >= before + more, `${more} more requests end`, 60_000)
}

/** Of stateless requests, those that began within this span and were not served. */
const listUnserved = ({ journal }: Traffic, { from, to }: Span): readonly Entry[] =>
  journal.entries.filter((entry) => entry.from > from && entry.to < to && entry.verdict !== 'right' && entry.status !== 404)

/** Calls that reached the MCP server more than once, or without permission. */
const listMiscarried = ({ mirror }: Fleet): readonly unknown[] =>
  [...mirror.seen].filter(([nonce, times]) => times !== 1 || nonce.startsWith('unauthorized'))

describe.skipIf(!runs)('two replicas behind HAProxy', { timeout: 180_000 }, () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ changes: { rate_limits: [], shutdown: { delay_seconds: 4 } } })
  }, 60_000)
  afterAll(() => fleet?.close())

  const untilTold = (what: string): Promise<void> =>
    waitUntil(() => fleet.balancer.told.some((line) => line.includes(what)), `HAProxy says: ${what}`, 30_000)

  const faults = [
    ['is killed (SIGKILL)', 'SIGKILL'],
    ['is stopped (SIGTERM)', 'SIGTERM'],
    ['hangs (SIGSTOP)', 'SIGSTOP'],
  ] as const

  it.each(faults)('lose no call when one %s under load', async (what, signal) => {
    const traffic = startUsers(fleet)
    await untilSent(traffic, STEADY)
    const from = performance.now()
    fleet.replicas[0]?.signal(signal)
    await untilTold('mcp/one is DOWN')
    const noticed = performance.now()
    await untilSent(traffic, STEADY)
    const revived = performance.now()
    if (signal === 'SIGSTOP') fleet.replicas[0]?.signal('SIGCONT')
    else await fleet.revive(0)
    const to = performance.now() + NOTICED_MS
    await untilTold('mcp/one is UP')
    await untilSent(traffic, STEADY)
    await traffic.stop()
    fleet.balancer.forget()
    const disturbed = [{ from, to }]
    const {
      complaints,
      refusals: _,
      ...tally
    } = traffic.journal.tally({ disturbed, breaking: signal === 'SIGKILL' ? disturbed : [] })
    expect(complaints).toEqual([])
    expect(tally).toMatchObject({ lost: 0, wrong: 0 })
    // From when the load balancer knows, no call pays for it; with SIGTERM it knows in time.
    expect(listUnserved(traffic, { from: signal === 'SIGTERM' ? 0 : noticed, to: revived })).toEqual([])
    expect(listMiscarried(fleet)).toEqual([])
    reportTarget('R5', `two replicas, of which one ${what}, lose no call`, tally)
  })

  it.each(['v1', 'v2'] as const)(
    'have a client of the SDK (%s) begin a new session where its replica was lost',
    async (generation) => {
      const clients = await Promise.all(
        Array.from({ length: 8 }, (_, index) => connect(fleet, generation, `${generation}-${index}`)),
      )
      const [own = [], other = []] = fleet.replicas.map(({ pid }) => clients.filter(({ owner }) => owner === pid))
      expect([own.length > 0, other.length > 0]).toEqual([true, true])
      fleet.replicas[0]?.signal('SIGKILL')
      await untilTold('mcp/one is DOWN')
      for (const { client, pid } of other) expect(await askForProcess(client)).toBe(pid)
      for (const { client, user } of own) {
        const error = await askForProcess(client).catch((cause: unknown) => cause)
        expect(String(error)).toMatch(/404|session/i)
        const anew = await connect(fleet, generation, user)
        expect(anew.owner).toBe(fleet.replicas[1]?.pid)
        await anew.client.close()
      }
      await Promise.all(clients.map(({ client }) => client.close()))
      await fleet.revive(0)
      await untilTold('mcp/one is UP')
      fleet.balancer.forget()
    },
  )

  it('have an MCP session of a process stay at its replica when the token is renewed', async () => {
    const sessions = await Promise.all(Array.from({ length: 12 }, (_, index) => connect(fleet, 'v1', `renewing-${index}`)))
    expect(new Set(sessions.map(({ owner }) => owner)).size).toBe(2)
    for (const { client, pid, renew } of sessions) {
      for (let renewed = 0; renewed < 4; renewed += 1) {
        await renew()
        expect(await askForProcess(client)).toBe(pid)
      }
      await client.close()
    }
  })

  it('are both asked where neither passes its checks, and MCP sessions stay where they are', async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, (_, index) => connect(fleet, 'v2', `unchecked-${index}`)))
    // Both serve everything for a while, but are not ready any more.
    for (const replica of fleet.replicas) replica.signal('SIGTERM')
    await untilTold('mcp/one is DOWN')
    await untilTold('mcp/two is DOWN')
    for (const { client, pid, renew } of sessions) {
      await renew()
      expect(await askForProcess(client)).toBe(pid)
    }
    await Promise.all(fleet.replicas.map((_, index) => fleet.revive(index)))
    await untilTold('mcp/one is UP')
    await untilTold('mcp/two is UP')
    fleet.balancer.forget()
  })

  it('pass each event on when it comes', async () => {
    const headers = { authorization: `Bearer ${await fleet.mint('listening', '/tickets')}`, host: new URL(fleet.origin).host }
    const pieces: string[] = []
    const streams = await openStreams(1, `${fleet.origin}/tickets`, headers, (text) => pieces.push(text))
    await waitUntil(() => pieces.length >= 5, 'five events come')
    streams.close()
    const texts = pieces.map((piece) => JSON.parse(piece.replace(/^data: /, '')).params.data)
    expect(texts.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((number) => `listening ${number}`))
  })
})

describe.skipIf(!hasProgram('nginx', '-v') || !runs)('two replicas behind nginx', { timeout: 180_000 }, () => {
  it('lose no call when one is killed under load', async () => {
    const fleet = await startFleet({ startBalancer: startNginx, changes: { rate_limits: [] } })
    const traffic = startUsers(fleet)
    await untilSent(traffic, STEADY)
    const from = performance.now()
    fleet.replicas[0]?.signal('SIGKILL')
    await untilSent(traffic, 2 * STEADY)
    await fleet.revive(0)
    const to = performance.now()
    await untilSent(traffic, STEADY)
    await traffic.stop()
    // nginx chooses by a hash: sessions that were opened elsewhere meanwhile are looked for here again, and begin anew once more.
    const disturbed = [{ from, to: to + NOTICED_MS }]
    const { complaints, refusals: _, ...tally } = traffic.journal.tally({ disturbed, breaking: [{ from, to }] })
    const miscarried = listMiscarried(fleet)
    await fleet.close()
    expect(complaints).toEqual([])
    expect([tally.lost, tally.wrong, miscarried]).toEqual([0, 0, []])
    reportTarget('R5', 'two replicas behind nginx, of which one is killed, lose no call', tally)
  })
})

interface Connected {
  readonly client: ClientV1 | ClientV2
  readonly user: string
  /** The process of its session, and the replica that started that. */
  readonly pid: number
  readonly owner: number
  /** Uses another token from now on. */
  renew(): Promise<void>
}

async function connect({ origin, mint }: Fleet, generation: 'v1' | 'v2', user: string): Promise<Connected> {
  let token = await mint(user, '/files')
  const authorized: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers })
  }
  const info = { name: user, version: '1' }
  const url = new URL(`${origin}/files`)
  const client = generation === 'v1' ? new ClientV1(info) : new ClientV2(info, { versionNegotiation: { mode: 'legacy' } })
  const transport =
    generation === 'v1' ? new StreamableV1(url, { fetch: authorized }) : new StreamableV2(url, { fetch: authorized })
  await client.connect(transport as never)
  const pid = await askForProcess(client)
  const owner = listProcesses().find((one) => one.pid === pid)?.parent ?? 0
  return {
    client,
    user,
    pid,
    owner,
    renew: async () => {
      token = await mint(user, '/files')
    },
  }
}

async function askForProcess(client: ClientV1 | ClientV2): Promise<number> {
  const answer = await client.callTool({ name: 'pid', arguments: {} })
  return Number((answer as { content: { text: string }[] }).content[0]?.text)
}
