// Attack family S: the machine has nothing left to start a server with, and servers that would outlive the proxy.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { type GateProcess, startGateProcess } from '../support/gate-process.ts'
import { createRequest, openSession, readAnswer, sendMcp } from '../support/mcp-requests.ts'
import { isRunning, listProcesses, waitUntil } from '../support/processes.ts'

const server = fileURLToPath(new URL('../fixtures/stdio/scripted-server.mjs', import.meta.url))
const scripted = [process.execPath, server]

let proxy: GateProcess | undefined
afterEach(async () => {
  if (proxy !== undefined && isRunning(proxy.pid)) await proxy.kill('SIGKILL')
  proxy = undefined
})

const initialize = (origin: string) =>
  sendMcp(`${origin}/mcp`, { body: createRequest('initialize', { protocolVersion: '2025-06-18' }) })
const countFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length
const groupsOf = (parent: number) => listProcesses().filter((one) => one.parent === parent && one.group === one.pid)

describe('S6, R26: a machine that has no file descriptors left', () => {
  // Pipes, or the process itself, or the watchdog: whichever it is that fails.
  it.each([0, 3, 6])('has us refuse with 503 and live on, with %d left', async (left) => {
    proxy = await startGateProcess({ command: scripted })
    const { pid, origin } = proxy
    // The first request opens what stays open.
    const first = await initialize(origin)
    expect(first.status).toBe(200)
    await first.text()
    await waitUntil(() => groupsOf(pid).length > 0, 'a child runs')
    const limit = countFiles(pid) + 1 + left
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await initialize(origin)).status)
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(statuses).toContain(503)
    expect(isRunning(pid)).toBe(true)
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:'])
    await waitUntil(async () => (await initialize(origin)).status === 200, 'it serves again')
    const started = groupsOf(pid).map((one) => one.pid)
    await proxy.kill('SIGKILL')
    await waitUntil(() => !started.some(isRunning), 'what it started ends')
  })
})

describe('S6, R26: a machine that has no process left', () => {
  it('has us refuse with 503 and live on', async () => {
    // The limit does not hold for root.
    const through = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : []
    proxy = await startGateProcess({ command: scripted, workDir: '/' }, {}, through)
    const limit = (most: number) => {
      const [command = '', ...parameters] = [...through, 'prlimit', '--pid', String(proxy?.pid), `--nproc=${most}:`]
      execFileSync(command, parameters)
    }
    limit(1)
    for (let i = 0; i < 3; i++) {
      const refused = await initialize(proxy.origin)
      expect(refused.status).toBe(503)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await readAnswer(refused)).error.data.error).toBe('upstream_busy')
    }
    limit(1000)
    const { origin } = proxy
    await waitUntil(async () => (await initialize(origin)).status === 200, 'it serves again')
  })
})

describe('S7, S11: a proxy that is killed', () => {
  // Whatever stands between: the shell and its helpers are in the group, and none of them notices by itself.
  const wrapped = (script: string) => ['/bin/sh', '-c', script, 'sh', ...scripted]

  it.each([
    ['a shell that waits for it', 'sleep 1000 & "$@"; exit $?'],
    [
      'helpers that ignore the end of their input and SIGTERM',
      "(trap '' TERM; sleep 1000; sleep 1001) & (trap '' TERM HUP; sleep 1002) & exec \"$@\"",
    ],
    ['a shell that runs it in the background', 'exec 3<&0; "$@" <&3 & wait'],
  ])('leaves nothing of a server behind %s', async (_what, script) => {
    proxy = await startGateProcess({ command: wrapped(script) })
    const session = await openSession(proxy.origin)
    const server = Number(await session.call('pid'))
    const group = listProcesses().find(({ pid }) => pid === server)?.group
    const members = () => listProcesses().filter((one) => one.group === group && one.state !== 'Z')
    expect(members().length).toBeGreaterThan(1)
    await proxy.kill('SIGKILL')
    await waitUntil(() => members().length === 0, 'all of the group end')
  })

  it('takes its watchdog with it, which may have been killed before', async () => {
    proxy = await startGateProcess({ command: scripted, env: { IGNORE_EOF: '1' } })
    const { pid, origin } = proxy
    const session = await openSession(origin)
    const server = Number(await session.call('pid'))
    const findWatchdog = () => groupsOf(pid).find((one) => one.pid !== server)?.pid
    const killed = findWatchdog() as number
    process.kill(killed, 'SIGKILL')
    await waitUntil(() => ![undefined, killed].includes(findWatchdog()), 'there is another watchdog')
    const watchdog = findWatchdog() as number
    await proxy.kill('SIGKILL')
    await waitUntil(() => !isRunning(server) && !isRunning(watchdog), 'both end')
  })
})
