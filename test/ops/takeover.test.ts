// A second process takes over the port of the first, with no load balancer in between, under load that never repeats a call.
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { asActivated, holdSocket } from './support/held-socket.ts'
import { startLoad } from './support/load.ts'
import { hasProgram } from './support/programs.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { type TakeoverReport, takeOver } from './support/takeover-story.ts'
import { reportTarget } from './support/target.ts'

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

/** Takeovers on a stage of their own. */
async function takeOverAt(port: number, start: (stage: Stage) => Replica): Promise<Omit<TakeoverReport, 'times'>> {
  const stage = await setStage(`http://localhost:${port}`)
  open.push(stage)
  return takeOver(`http://127.0.0.1:${port}/mcp`, stage.headers, () => start(stage))
}

/** @param mayLose - connections whose handshake was under way when a listener closed */
function expectNoLoss(how: string, report: Omit<TakeoverReport, 'times'>, mayLose = 0): void {
  const { takeovers, sent, right, lost, refused, wrong, complaints, exitCodes } = report
  expect(new Set(exitCodes)).toEqual(new Set([0]))
  if (mayLose === 0) expect(complaints).toEqual([])
  expect(lost).toBeLessThanOrEqual(mayLose)
  expect({ right, refused, wrong }).toEqual({ right: sent - lost, refused: 0, wrong: 0 })
  reportTarget('R5', `${takeovers} takeovers ${how}`, { sent, right, lost, refused, wrong })
}

/** A network namespace of its own, where the kernel may be told to hand connections over. */
const asRoot = process.getuid?.() === 0 ? ['-n'] : ['-rn']
const inNamespace = [...asRoot, 'sh', '-c', 'ip link set lo up && echo 1 > /proc/sys/net/ipv4/tcp_migrate_req && exec "$@"', 'sh']
const canMigrate = spawnSync('unshare', [...inNamespace, 'true']).status === 0
if (!canMigrate) console.warn('skipped: this user may make no network namespace, or `ip` is not installed')

async function end(replica: Replica): Promise<number | null> {
  replica.signal('SIGTERM')
  return (await replica.exited).code
}

describe.runIf(process.platform === 'linux')('a new process', () => {
  it('takes over a port that both share (listen.reuse_port)', async () => {
    const port = await findFreePort()
    const listen = { port, reuse_port: true }
    const report = await takeOverAt(port, (stage) =>
      startReplica(stage.configure(port, { listen, shutdown: { delay_seconds: 1 } })),
    )
    expectNoLoss('with listen.reuse_port, as the kernel is set', report, report.takeovers)
  })

  it.skipIf(!canMigrate)('loses no call where the kernel hands connections over (net.ipv4.tcp_migrate_req)', async () => {
    const script = fileURLToPath(new URL('./support/takeover-in-namespace.ts', import.meta.url))
    const output = await promisify(execFile)('unshare', [...inNamespace, process.execPath, script])
    expectNoLoss('with listen.reuse_port and tcp_migrate_req lose no call', JSON.parse(output.stdout))
  })

  it('takes over a socket that another program holds (socket activation)', async () => {
    const port = await findFreePort()
    const held = await holdSocket(port)
    open.push(held)
    const report = await takeOverAt(port, (stage) =>
      startReplica(stage.configure(port, { shutdown: { delay_seconds: 1 } }), {
        through: asActivated,
        env: { LISTEN_FDS: '1', LISTEN_FDNAMES: 'mcp-auth-proxy.socket' },
        stdio: ['ignore', 'pipe', 'pipe', held.descriptor],
      }),
    )
    expectNoLoss('with socket activation lose no call', report)
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
