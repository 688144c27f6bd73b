// A process is told to reload, over and over, while calls and streams run on it.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { findFreePort } from '../support/free-port.ts'
import { scriptedServer } from '../support/gate.ts'
import { isRunning, listProcesses, waitUntil } from '../support/processes.ts'
import { formatCall, send } from './support/client.ts'
import { findPercentile, startLoad } from './support/load.ts'
import { program, type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { openStreams } from './support/streams.ts'
import { reportTarget } from './support/target.ts'

const RELOADS = 20
const PER_SECOND = 500
const STREAMS = 500

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

interface Running {
  readonly stage: Stage
  readonly replica: Replica
  readonly url: string
  /** Lines of the log that tell of reloads. */
  readonly reloads: readonly { readonly outcome: string; readonly changed?: readonly string[]; readonly detail?: string }[]
  /** Writes the configuration, signals, and waits for the line about it. */
  reload(changes: Partial<ConfigInput>, signals?: number): Promise<void>
}

const ADMIN_TOKEN = 'admin-token-of-the-reload-tests-in-ops'

async function start(changes: Partial<ConfigInput> = {}): Promise<Running> {
  const port = await findFreePort()
  const stage = await setStage(`http://127.0.0.1:${port}`)
  const reloads: { outcome: string }[] = []
  const replica = startReplica(stage.configure(port, changes), {
    env: { ADMIN_TOKEN },
    onLine: (line) => line.includes(' reloaded') && reloads.push(JSON.parse(line)),
  })
  open.push(stage, {
    async close() {
      replica.signal('SIGTERM')
      replica.signal('SIGTERM')
      await replica.exited
    },
  })
  await replica.waitUntilReady()
  return {
    ...{ stage, replica, reloads },
    url: `http://127.0.0.1:${port}/mcp`,
    async reload(next, signals = 1) {
      const before = reloads.length
      replica.rewrite(stage.configure(port, next))
      for (let sent = 0; sent < signals; sent += 1) replica.signal('SIGHUP')
      await waitUntil(() => reloads.length > before, 'the log tells of a reload')
    },
  }
}

const echo = (stage: Stage, more: Record<string, unknown> = {}) => ({
  name: 'echo',
  path: '/mcp',
  upstream: stage.server.url,
  ...more,
})

describe('reloads', () => {
  it('lose no call and cut no stream', { timeout: 180_000 }, async () => {
    const { stage, url, reload, reloads } = await start()
    const streams = await openStreams(STREAMS, url, stage.headers)
    const load = startLoad({ url, perSecond: PER_SECOND, headers: stage.headers })
    const settled = () => load.report.right > PER_SECOND * 2
    await waitUntil(settled, 'the load runs')
    const from = performance.now()
    for (let round = 0; round < RELOADS; round += 1) {
      const more = round % 2 === 0 ? { rules: [{ tool: 'delete', deny: true }] } : {}
      const before = load.report.right
      await reload({ servers: [echo(stage, more), { name: `new-${round}`, path: `/new-${round}`, upstream: stage.server.url }] })
      await waitUntil(() => load.report.right > before + PER_SECOND / 4, 'calls go on')
    }
    const to = performance.now()
    stage.server.sendEvent('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"here"}}')
    await waitUntil(() => streams.countEvents() >= STREAMS, 'each stream has the event')
    const { sent, right, lost, refused, wrong, complaints, times } = await load.stop()
    expect(complaints).toEqual([])
    expect({ right, lost, refused, wrong }).toEqual({ right: sent, lost: 0, refused: 0, wrong: 0 })
    expect([...stage.server.seen.values()].filter((count) => count !== 1)).toEqual([])
    expect({ open: streams.countOpen(), ended: streams.countEnded(), cut: streams.countCut() }).toEqual({
      open: STREAMS,
      ended: 0,
      cut: 0,
    })
    expect(reloads.map(({ outcome }) => outcome)).toEqual(Array.from({ length: RELOADS }, () => 'reloaded'))
    const percentile = (isOf: (sentAt: number) => boolean) =>
      findPercentile(
        times.filter(({ sentAt }) => isOf(sentAt)).map(({ ms }) => ms),
        0.99,
      )
    reportTarget('R1', `${RELOADS} reloads under ${PER_SECOND} calls a second and ${STREAMS} streams lose nothing`, {
      sent,
      right,
      lost,
      'streams cut': streams.countCut(),
      'p99 ms before': percentile((at) => at < from),
      'p99 ms during reloads': percentile((at) => at >= from && at <= to),
    })
    streams.close()
  })

  it('change nothing when the file has mistakes, is cut off or gone', { timeout: 60_000 }, async () => {
    const { stage, url, reload, replica, reloads } = await start({
      admin: { port: await findFreePort(), token: { env: 'ADMIN_TOKEN' } },
    })
    const load = startLoad({ url, perSecond: 100, headers: stage.headers })
    await reload({ servers: [echo(stage, { rules: [{ tool: 'echo', deny: true }, { tool: 'x' }], path: 'no slash' })] })
    writeFileSync(replica.file, '{ "servers": [ {')
    replica.signal('SIGHUP')
    await waitUntil(() => reloads.length === 2, 'the log tells of the second')
    rmSync(replica.file)
    replica.signal('SIGHUP')
    await waitUntil(() => reloads.length === 3, 'the log tells of the third')
    expect(reloads.map(({ outcome }) => outcome)).toEqual(['invalid', 'invalid', 'invalid'])
    expect(reloads[0]?.detail).toMatch(/servers\[0\]\.path \(line 1, column \d+\): .* \| servers\[0\]\.rules\[1\] \(line 1, /)
    const { sent, right } = await load.stop()
    expect(right).toBe(sent)
    reportTarget('R2', 'a configuration with mistakes changes nothing and says them all', { sent, right, 'reloads refused': 3 })
  })

  it('hold a tightened policy for the next request, and end the streams that it forbids', { timeout: 60_000 }, async () => {
    const { stage, url, reload } = await start()
    const [alice, bob] = await Promise.all([
      openStreams(100, url, stage.headers),
      openStreams(100, url, {
        ...stage.headers,
        authorization: `Bearer ${await stage.issuer.mint({ claims: { aud: `${stage.publicUrl}/mcp`, sub: 'bob' } })}`,
      }),
    ])
    const before = performance.now()
    await reload({ servers: [echo(stage, { rules: [{ path: '/mcp', require: 'principal.subject == "bob"' }] })] })
    const { status } = await send(url, { headers: stage.headers, body: formatCall('late') })
    expect(status).toBe(403)
    await alice.over
    const ms = performance.now() - before
    expect({ ended: alice.countEnded(), cut: alice.countCut(), bob: bob.countOpen() }).toEqual({ ended: 100, cut: 0, bob: 100 })
    expect(ms).toBeLessThan(5000)
    reportTarget('R3', 'a tightened policy holds at once and ends what it forbids', {
      'streams ended': 100,
      'streams kept': 100,
      ms,
    })
    for (const streams of [alice, bob]) streams.close()
  })

  it('survive a storm of signals', { timeout: 60_000 }, async () => {
    const { stage, url, reload, reloads } = await start()
    const load = startLoad({ url, perSecond: 200, headers: stage.headers })
    await reload({ servers: [echo(stage, { scopes: [] })] }, 200)
    await reload({ servers: [echo(stage, { rules: [{ tool: 'delete', deny: true }] })] }, 200)
    await waitUntil(
      () => reloads.some(({ changed }) => changed?.includes('server echo: access and rules')),
      'the last is in force',
    )
    const { sent, right } = await load.stop()
    expect(right).toBe(sent)
    expect((await send(url, { headers: stage.headers, body: formatCall('after') })).status).toBe(200)
  })
})

describe('an MCP server that is a process', () => {
  const upstream = { command: [process.execPath, scriptedServer], process_per: 'shared' as const }
  const initialize = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  })
  const findServers = (parent: number): number[] =>
    listProcesses()
      .filter((one) => one.parent === parent && readFileSync(`/proc/${one.pid}/cmdline`, 'utf8').includes(scriptedServer))
      .map(({ pid }) => pid)

  it('keeps its pid and its sessions when it did not change; another command drains it', { timeout: 60_000 }, async () => {
    const { stage, url, reload, replica } = await start()
    const local = (more = {}) => ({ servers: [{ name: 'local', path: '/mcp', upstream: { ...upstream, ...more } }] })
    await reload(local())
    const headers = { ...stage.headers, accept: 'application/json, text/event-stream' }
    const { headers: answer } = await send(url, { headers, body: initialize })
    const session = { ...headers, 'mcp-session-id': String(answer['mcp-session-id']), 'mcp-protocol-version': '2025-06-18' }
    const list = () => send(url, { headers: session, body: JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' }) })
    expect((await list()).status).toBe(200)
    const [pid = 0, ...others] = findServers(replica.pid)
    expect(others).toEqual([])
    await reload({ servers: [{ ...local().servers[0]!, rules: [{ tool: 'delete', deny: true }] }] })
    expect((await list()).status).toBe(200)
    expect(findServers(replica.pid)).toEqual([pid])
    await reload(local({ env: { CHANGED: 'yes' } }))
    expect((await list()).status).toBe(404)
    await waitUntil(() => !isRunning(pid), 'the process of the former command has ended')
    expect((await send(url, { headers, body: initialize })).status).toBe(200)
    expect(findServers(replica.pid)).not.toContain(pid)
  })
})

describe('without a signal', () => {
  it('a mounted ConfigMap is put into force when its link is turned over', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'configmap-'))
    const port = await findFreePort()
    const stage = await setStage(`http://127.0.0.1:${port}`)
    const write = (version: string, more: Record<string, unknown>): void => {
      mkdirSync(join(folder, version))
      const config = { ...stage.configure(port), reload: { watch: true }, servers: [echo(stage, more)] }
      writeFileSync(join(folder, version, 'config.yaml'), JSON.stringify(config))
      symlinkSync(version, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    }
    write('..1', {})
    symlinkSync('..data/config.yaml', join(folder, 'config.yaml'))
    const replica = startReplica(stage.configure(port), { file: join(folder, 'config.yaml') })
    open.push(stage, {
      async close() {
        replica.signal('SIGTERM')
        await replica.exited
        rmSync(folder, { recursive: true })
      },
    })
    await replica.waitUntilReady()
    const call = async () => (await send(`${replica.origin}/mcp`, { headers: stage.headers, body: formatCall('one') })).status
    expect(await call()).toBe(200)
    write('..2', { rules: [{ tool: 'echo', deny: true }] })
    await waitUntil(async () => (await call()) === 403, 'the new rule holds')
  })

  it('the command `reload` says what changed, and by its exit code what came of it', { timeout: 60_000 }, async () => {
    const admin = { port: await findFreePort(), token: { env: 'ADMIN_TOKEN' } }
    const { stage, replica } = await start({ admin })
    const run = (config: Partial<ConfigInput>): Promise<{ code: number; told: string }> => {
      replica.rewrite(stage.configure(replica.port, config))
      return new Promise((resolve) =>
        execFile(
          process.execPath,
          [program, 'reload', replica.file],
          { env: { ...process.env, ADMIN_TOKEN } },
          (error, _out, told) => resolve({ code: Number(error?.code ?? 0), told }),
        ),
      )
    }
    const changed = await run({ admin, servers: [echo(stage, { rules: [{ tool: 'echo', deny: true }] })] })
    expect(changed).toEqual({ code: 0, told: expect.stringContaining('server echo: access and rules') })
    expect((await send(`${replica.origin}/mcp`, { headers: stage.headers, body: formatCall('one') })).status).toBe(403)
    expect(await run({ admin, log: { format: 'pretty' } })).toEqual({ code: 3, told: expect.stringContaining('log.format') })
    expect(await run({ admin, servers: [echo(stage, { path: 'x' })] })).toEqual({
      code: 2,
      told: expect.stringContaining('servers[0].path'),
    })
  })
})
