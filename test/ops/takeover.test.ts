// A second process takes over the port of the first, with no load balancer in between, under load that never repeats a call.
import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../support/processes.ts'
import { findFreePort } from '../support/proxy.ts'
import { asActivated, holdSocket } from './support/held-socket.ts'
import { findPercentile, startLoad } from './support/load.ts'
import { hasProgram } from './support/programs.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { reportTarget } from './support/target.ts'

const TAKEOVERS = 6
const PER_SECOND = 400
/** What a new process must have served before the old one is stopped. */
const SERVED = 20

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function takeOver(how: string, port: number, start: (stage: Stage) => Replica): Promise<void> {
  const stage = await setStage(`http://localhost:${port}`)
  let current = start(stage)
  open.push(stage, { close: async () => end(current) })
  await current.waitUntilReady()
  const load = startLoad({ url: `http://127.0.0.1:${port}/mcp`, perSecond: PER_SECOND, headers: stage.headers })
  for (let turn = 1; turn <= TAKEOVERS; turn += 1) {
    const next = start(stage)
    await waitUntil(() => next.told.some((line) => line.includes('is listening on')), 'the new process listens', 30_000)
    const before = current
    current = next
    before.signal('SIGTERM')
    await waitUntil(() => next.countServed() >= SERVED, 'the new process serves', 30_000)
    expect((await before.exited).code).toBe(0)
  }
  const { sent, right, lost, refused, wrong, complaints, times } = await load.stop()
  expect(complaints).toEqual([])
  expect({ right, lost, refused, wrong }).toEqual({ right: sent, lost: 0, refused: 0, wrong: 0 })
  const p99 = findPercentile(
    times.map(({ ms }) => ms),
    0.99,
  )
  reportTarget('R5', `${TAKEOVERS} takeovers ${how} lose no call`, { sent, right, lost, refused, wrong, 'p99 ms': p99 })
}

async function end(replica: Replica): Promise<number | null> {
  replica.signal('SIGTERM')
  return (await replica.exited).code
}

describe.runIf(process.platform === 'linux')('a new process', () => {
  it('takes over a port that both share (listen.reuse_port)', async () => {
    const port = await findFreePort()
    const listen = { port, reuse_port: true }
    await takeOver('with listen.reuse_port', port, (stage) =>
      startReplica(stage.configure(port, { listen, shutdown: { delay_seconds: 1 } })),
    )
  })

  it('takes over a socket that another program holds (socket activation)', async () => {
    const port = await findFreePort()
    const held = await holdSocket(port)
    open.push(held)
    await takeOver('with socket activation', port, (stage) =>
      startReplica(stage.configure(port, { shutdown: { delay_seconds: 1 } }), {
        through: asActivated,
        env: { LISTEN_FDS: '1', LISTEN_FDNAMES: 'mcp-auth-proxy.socket' },
        stdio: ['ignore', 'pipe', 'pipe', held.descriptor],
      }),
    )
  })

  it.skipIf(!hasProgram('systemd-socket-activate', '--version'))('serves on the sockets that systemd passes', async () => {
    const [port, adminPort] = [await findFreePort(), await findFreePort()]
    const stage = await setStage(`http://localhost:${port}`)
    const addresses = [`--listen=127.0.0.1:${adminPort}`, `--listen=127.0.0.1:${port}`, '--fdname=admin:listen']
    const replica = startReplica(stage.configure(port, { listen: { port: 1 }, admin: { port: 2 } }), {
      port,
      through: ['systemd-socket-activate', ...addresses],
    })
    open.push(stage, { close: () => end(replica) })
    await replica.waitUntilReady()
    const load = startLoad({ url: `http://127.0.0.1:${port}/mcp`, perSecond: 50, total: 50, headers: stage.headers })
    await waitUntil(() => load.report.right === 50, 'all calls are answered')
    await load.stop()
    expect((await fetch(`http://127.0.0.1:${adminPort}/metrics`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${adminPort}/mcp`)).status).toBe(404)
  })
})
