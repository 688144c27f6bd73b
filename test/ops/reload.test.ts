// A real process reads its configuration anew under load and with many streams open.
import { execFile } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { waitUntil } from '../support/processes.ts'
import { findFreePort } from '../support/proxy.ts'
import { formatCall, send } from './support/client.ts'
import { findPercentile, startLoad } from './support/load.ts'
import { program, type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { type OpenStreams, openStreams } from './support/streams.ts'
import { reportTarget } from './support/target.ts'

const PER_SECOND = 500
const STREAMS = 500
const RELOADS = 20
/** What a busy machine may take for what takes a moment. */
const GRACE_MS = 3000
const env = { ADMIN_TOKEN: 'token-of-the-operators-0123456789abcdef' }

let stage: Stage
let replica: Replica
let adminUrl: string
let adminPort: number
const streams: OpenStreams[] = []

beforeEach(async () => {
  const port = await findFreePort()
  adminPort = await findFreePort()
  adminUrl = `http://127.0.0.1:${adminPort}`
  stage = await setStage(`http://localhost:${port}`)
  replica = startReplica(configure({ rules: [{ tool: 'unused', deny: true }] }, port), { env })
  await replica.waitUntilReady()
})
afterEach(async () => {
  for (const open of streams.splice(0)) open.close()
  replica.signal('SIGKILL')
  await replica.exited
  await stage.close()
})

function configure(server: object, port = replica.port): ConfigInput {
  const servers = [{ name: 'echo', path: '/mcp', upstream: stage.server.url, ...server }]
  return stage.configure(port, { admin: { port: adminPort, token: { env: 'ADMIN_TOKEN' } }, servers })
}

async function countReloads(outcome: 'success' | 'failure'): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text()
  return Number(new RegExp(`^mcp_auth_proxy_reloads_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

async function reload(outcome: 'success' | 'failure' = 'success'): Promise<void> {
  const before = await countReloads(outcome)
  replica.signal('SIGHUP')
  await waitUntil(async () => (await countReloads(outcome)) > before, `a reload ends with ${outcome}`, 20_000)
}

async function open(count: number, headers: Readonly<Record<string, string>>): Promise<OpenStreams> {
  const opened = await openStreams(count, `${replica.origin}/mcp`, headers)
  streams.push(opened)
  return opened
}

const load = () => startLoad({ url: `${replica.origin}/mcp`, perSecond: PER_SECOND, headers: stage.headers })

describe('R1', () => {
  it(`loses no call and cuts no stream over ${RELOADS} reloads`, async () => {
    const opened = await open(STREAMS, stage.headers)
    const { report, stop } = load()
    await waitUntil(() => report.times.length >= 1000, 'calls without a reload', 30_000)
    const begin = performance.now()
    for (let turn = 0; turn < RELOADS; turn += 1) {
      replica.rewrite(configure({ rules: [{ tool: `unused-${turn}`, deny: true }] }))
      await reload()
    }
    const { sent, right, lost, refused, wrong, times, complaints } = await stop()
    expect(complaints).toEqual([])
    expect({ right, lost, refused, wrong }).toEqual({ right: sent, lost: 0, refused: 0, wrong: 0 })
    stage.server.sendEvent('{"jsonrpc":"2.0","method":"notifications/message","params":{}}')
    await waitUntil(() => opened.countEvents() === STREAMS, 'each stream still has its events')
    expect([opened.countOpen(), opened.countCut(), opened.countEnded()]).toEqual([STREAMS, 0, 0])
    const [steady, during] = [times.filter(({ sentAt }) => sentAt < begin), times.filter(({ sentAt }) => sentAt >= begin)].map(
      (part) =>
        findPercentile(
          part.map(({ ms }) => ms),
          0.99,
        ),
    )
    reportTarget('R1', `${RELOADS} reloads under ${PER_SECOND} calls a second lose nothing and cut nothing`, {
      ...{ sent, right, lost, refused, wrong, 'streams open': opened.countOpen(), 'streams cut': opened.countCut() },
      ...{ 'p99 ms before': steady ?? 0, 'p99 ms during': during ?? 0 },
    })
  })
})

describe('R2', () => {
  it('serves on with the configuration before where the file has mistakes, and tells each of them', async () => {
    const { report, stop } = load()
    await waitUntil(() => report.right >= 100, 'calls are served', 30_000)
    replica.rewrite({ ...configure({ rules: [{ tool: 'x', require: 'no such expression' }] }), unknown_key: 1 } as ConfigInput)
    const answer = await runReload()
    expect(answer.code).toBe(2)
    expect(answer.text).toContain('unknown_key')
    expect(answer.text).toContain('rules')
    await reload('failure')
    expect(await countReloads('success')).toBe(0)
    const { sent, right, complaints } = await stop()
    expect(complaints).toEqual([])
    expect(right).toBe(sent)
    reportTarget('R2', 'a reload of a file with mistakes changes nothing', { sent, right, lost: 0, 'exit code of reload': 2 })
  })
})

/** `open-mcp-auth-proxy reload FILE`, while the load goes on. */
function runReload(): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, 'reload', replica.file],
      { env: { ...process.env, ...env } },
      (_, out, err) => resolve({ code: child.exitCode ?? -1, text: out + err }),
    )
  })
}

describe('R3', () => {
  it('a tightened policy holds for the next request, and cuts the streams that it forbids within 5 s', async () => {
    const token = await stage.issuer.mint({ claims: { aud: `${stage.publicUrl}/mcp`, sub: 'bob' } })
    const bob = { ...stage.headers, authorization: `Bearer ${token}` }
    const [stays, goes] = [await open(50, stage.headers), await open(50, bob)]
    const callAsBob = () => send(`${replica.origin}/mcp`, { headers: bob, body: formatCall('bob') })
    expect((await callAsBob()).status).toBe(200)
    const { report, stop } = load()
    replica.rewrite(configure({ rules: [{ path: '/mcp', require: 'principal.subject == "alice"' }] }))
    const signalled = performance.now()
    await reload()
    const inForceAfter = performance.now() - signalled
    // The very next one.
    expect((await callAsBob()).status).toBe(403)
    await goes.over
    const cutAfter = performance.now() - signalled
    expect(cutAfter - inForceAfter).toBeLessThan(5000 + GRACE_MS)
    expect([stays.countOpen(), report.lost]).toEqual([50, 0])
    const { sent, right, complaints } = await stop()
    expect([right, complaints]).toEqual([sent, []])
    reportTarget('R3', 'a tightened policy holds for the next request and cuts what it forbids within 5 s', {
      ...{ 'in force after ms': inForceAfter, 'streams cut': 50, 'cut after ms': cutAfter, 'streams kept': stays.countOpen() },
      ...{ 'calls of others': sent, right },
    })
  })
})
