// Two replicas are restarted in turn, eight times in all, under load that never repeats a call.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { countAudited, listMiscounted } from './support/audit-file.ts'
import { type Balancer, startHaproxy, startNginx } from './support/balancers.ts'
import { findPercentile, startLoad } from './support/load.ts'
import { hasProgram } from './support/programs.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { reportTarget } from './support/target.ts'

const RESTARTS = 8
const PER_SECOND = 250
/** What a replica must have served before the next one is stopped: the balancer uses it. */
const SERVED_AGAIN = 20

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

type StartBalancer = (port: number, replicas: readonly number[]) => Promise<Balancer>

const balancers: readonly (readonly [name: string, program: string, flag: string, start: StartBalancer])[] = [
  ['HAProxy', 'haproxy', '-v', startHaproxy],
  ['nginx', 'nginx', '-v', startNginx],
]

describe.each(balancers)('two replicas behind %s', (name, program, flag, startBalancer) => {
  it.skipIf(!hasProgram(program, flag))(
    `lose no call of ${PER_SECOND} a second over ${RESTARTS} restarts`,
    // On a machine that is far too busy, the kernel may reset a connection whose handshake is under way at the close. Any cause within the
    // process shows in every run.
    { timeout: 180_000, retry: 1 },
    async () => {
      const [port, ...ports] = [await findFreePort(), await findFreePort(), await findFreePort()]
      const stage = await setStage(`http://localhost:${port}`)
      const folder = mkdtempSync(join(tmpdir(), 'restarts-'))
      open.push({ close: async () => rmSync(folder, { recursive: true }) })
      const findAudit = (one: number) => join(folder, `${one}.jsonl`)
      const start = (one: number) => startServing(stage, one, findAudit(one))
      const replicas = ports.map(start)
      open.push(stage, { close: () => Promise.all(replicas.map(end)) })
      await Promise.all(replicas.map((replica) => replica.waitUntilReady()))
      const balancer = await startBalancer(port, ports)
      open.push(balancer)
      const load = startLoad({ url: `http://127.0.0.1:${port}/mcp`, perSecond: PER_SECOND, headers: stage.headers })
      for (let restart = 0; restart < RESTARTS; restart += 1) {
        const index = restart % replicas.length
        await waitUntilUsed(replicas[index]!)
        expect(await end(replicas[index]!)).toBe(0)
        replicas[index] = start(ports[index]!)
        await replicas[index].waitUntilReady()
        await waitUntilUsed(replicas[index])
      }
      const { sent, right, lost, refused, wrong, complaints, times } = await load.stop()
      expect({ complaints, told: complaints.length > 0 ? balancer.told : [] }).toEqual({ complaints: [], told: [] })
      expect({ right, lost, refused, wrong }).toEqual({ right: sent, lost: 0, refused: 0, wrong: 0 })
      expect([...stage.server.seen.values()].filter((times) => times !== 1)).toEqual([])
      await Promise.all(replicas.map(end))
      const audited = countAudited(ports.map(findAudit))
      expect([audited.size, listMiscounted(audited)]).toEqual([sent, []])
      const p99 = findPercentile(
        times.map(({ ms }) => ms),
        0.99,
      )
      reportTarget('R5', `${RESTARTS} restarts behind ${name} lose no call`, {
        sent,
        right,
        lost,
        refused,
        wrong,
        'audit records': audited.size,
        'p99 ms': p99,
      })
    },
  )
})

function startServing(stage: Stage, port: number, file: string): Replica {
  return startReplica(stage.configure(port, { audit: { file }, shutdown: { delay_seconds: 2, drain_seconds: 10 } }))
}

async function waitUntilUsed(replica: Replica): Promise<void> {
  const before = replica.countServed()
  await waitUntil(() => replica.countServed() - before >= SERVED_AGAIN, 'the load balancer uses the replica', 30_000)
}

async function end(replica: Replica): Promise<number | null> {
  replica.signal('SIGTERM')
  return (await replica.exited).code
}
