// Starts of a real process with sockets that it must not use, or cannot share.
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { asActivated, type HeldSocket, holdSocket } from './support/held-socket.ts'
import { type ReplicaOptions, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'

let stage: Stage
let held: HeldSocket
let heldPort: number

beforeAll(async () => {
  heldPort = await findFreePort()
  ;[stage, held] = await Promise.all([setStage(`http://localhost:${heldPort}`), holdSocket(heldPort)])
})
afterAll(() => Promise.all([stage.close(), held.close()]))

/** The exit code and what was told. */
async function startAndFail(changes: Parameters<Stage['configure']>[1], options: ReplicaOptions) {
  const replica = startReplica(stage.configure(await findFreePort(), changes), options)
  const { code } = await replica.exited
  return { code, told: replica.told.join('\n') }
}

const activated = (names: string, descriptor: number): ReplicaOptions => ({
  through: asActivated,
  env: { LISTEN_FDS: '1', LISTEN_FDNAMES: names },
  stdio: ['ignore', 'pipe', 'pipe', descriptor],
})

describe.runIf(process.platform === 'linux')('the proxy does not start', () => {
  it('on a descriptor that does not listen', async () => {
    const { code, told } = await startAndFail({}, activated('listen', openSync('/dev/null', 'r')))
    expect([code, told]).toEqual([1, expect.stringContaining('descriptor 3 of socket activation is no TCP socket that listens')])
  })

  it('on a socket for operators where the configuration has no admin listener', async () => {
    const { code, told } = await startAndFail({}, activated('admin', held.descriptor))
    expect([code, told]).toEqual([1, expect.stringContaining('the configuration has no `admin`')])
  })

  it('on a socket of systemd with --demo, whose passwords are known', async () => {
    const { issuers: _, ...config } = stage.configure(heldPort)
    const replica = startReplica(config, { ...activated('listen', held.descriptor), flags: ['--demo'] })
    expect((await replica.exited).code).toBe(1)
    expect(replica.told.join('\n')).toContain('takes no sockets of systemd')
  })

  it('on a shared port that another program does not share', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const { code, told } = await startAndFail({ listen: { port, reuse_port: true } }, {})
    other.close()
    expect([code, told]).toEqual([1, expect.stringContaining('Both processes need listen.reuse_port')])
  })
})

describe.runIf(process.platform === 'linux')('the proxy', () => {
  it('says that sockets are for another process, and listens where the configuration says', async () => {
    const port = await findFreePort()
    const options = { env: { LISTEN_PID: '1', LISTEN_FDS: '1' } }
    const replica = startReplica(stage.configure(port, {}), options)
    await replica.waitUntilReady()
    expect(replica.told.join(' ')).toContain('the sockets of systemd are for process 1')
    replica.signal('SIGTERM')
    expect((await replica.exited).code).toBe(0)
  })

  it('is known by the port of its socket, where the configuration names no public URL', async () => {
    const { public_url: _, ...config } = stage.configure(heldPort, { listen: {} })
    const replica = startReplica(config, { ...activated('mcp.socket', held.descriptor), port: heldPort })
    await replica.waitUntilReady()
    const metadata = await fetch(`http://localhost:${heldPort}/.well-known/oauth-protected-resource/mcp`)
    expect(await metadata.json()).toMatchObject({ resource: `http://localhost:${heldPort}/mcp` })
    replica.signal('SIGTERM')
    expect((await replica.exited).code).toBe(0)
  })
})
