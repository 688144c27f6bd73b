import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startBrokerStage } from './support/broker-stage.ts'
import { scripted } from './support/gate.ts'
import { createRequest, createToolCall, sendMcp } from './support/mcp-requests.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy } from './support/proxy.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }

async function startStdio(command: readonly string[] = scripted) {
  const issuer = await startIssuer()
  const proxy = await startTestProxy({
    issuers: [issuer.issuer],
    admin: { port: 0 },
    servers: [{ name: 'local', path: '/mcp', upstream: { command: [...command], max_processes: 4 } }],
  })
  open.push(
    () => issuer.close(),
    () => proxy.close(),
  )
  const user = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub: 'alice' } })
  const send = (body: unknown, session?: string) => sendMcp(`${proxy.origin}/mcp`, { user, body, session })
  const initialize = async (): Promise<string> => {
    const response = await send(createRequest('initialize', params, 1))
    await response.text()
    return response.headers.get('mcp-session-id') ?? ''
  }
  return { proxy, admin: proxy.adminUrl ?? '', send, initialize }
}

const readMetrics = async (admin: string): Promise<string> => (await fetch(`${admin}/metrics`)).text()

/** Some things are counted when they are over, which is after the answer. */
async function expectLines(admin: string, lines: readonly string[]): Promise<void> {
  const findMissing = async (): Promise<string[]> => {
    const shown = new Set((await readMetrics(admin)).split('\n'))
    return lines.filter((line) => !shown.has(line))
  }
  await waitUntil(async () => (await findMissing()).length === 0, 'all lines are there').catch(() => undefined)
  expect(await findMissing(), await readMetrics(admin)).toEqual([])
}

const exits = (outcome: string, count: number) => `mcp_auth_proxy_stdio_exits_total{server="local",outcome="${outcome}"} ${count}`

describe('the metrics of stdio servers', () => {
  it('count sessions and processes while they are there, and tell a crash from an end', async () => {
    const { admin, send, initialize } = await startStdio()
    await expectLines(admin, [
      'mcp_auth_proxy_stdio_processes{server="local"} 0',
      'mcp_auth_proxy_stdio_processes_limit{server="local"} 4',
      'mcp_auth_proxy_stdio_starts_total{server="local"} 0',
      exits('crashed', 0),
      exits('ended', 0),
      exits('start_failed', 0),
    ])
    const [, doomed] = [await initialize(), await initialize()]
    await expectLines(admin, [
      'mcp_auth_proxy_mcp_sessions{server="local"} 2',
      'mcp_auth_proxy_stdio_processes{server="local"} 2',
      'mcp_auth_proxy_stdio_starts_total{server="local"} 2',
    ])
    await (await send(createToolCall('exit', { code: 3 }), doomed)).text()
    await expectLines(admin, [
      'mcp_auth_proxy_mcp_sessions{server="local"} 1',
      'mcp_auth_proxy_stdio_processes{server="local"} 1',
      exits('crashed', 1),
      exits('ended', 0),
    ])
  })

  it('count a program that cannot be started as such', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'metrics-'))
    open.push(async () => rmSync(folder, { recursive: true }))
    const program = join(folder, 'program')
    writeFileSync(program, '#!/no/such/interpreter\n', { mode: 0o755 })
    const { admin, initialize } = await startStdio([program])
    await initialize()
    await expectLines(admin, [
      'mcp_auth_proxy_stdio_starts_total{server="local"} 1',
      exits('start_failed', 1),
      exits('crashed', 0),
    ])
  })
})

describe('a reload', () => {
  it('keeps what was counted, and shows no server twice while its processes are replaced', async () => {
    const { proxy, admin, initialize } = await startStdio()
    const session = await initialize()
    expect(session).not.toBe('')
    const server = (max: number) => ({ name: 'local', path: '/mcp', upstream: { command: [...scripted], max_processes: max } })
    const outcomes: unknown[] = []
    for (const max of [8, 16, 0]) outcomes.push((await proxy.reloadWith({ servers: [server(max)] })).outcome)
    expect(outcomes).toEqual(['reloaded', 'reloaded', 'invalid'])
    await initialize()
    await expectLines(admin, [
      'mcp_auth_proxy_reloads_total{outcome="success"} 2',
      'mcp_auth_proxy_reloads_total{outcome="failure"} 1',
      'mcp_auth_proxy_requests_total{server="local",operation="initialize",decision="permit",code=""} 2',
      'mcp_auth_proxy_stdio_starts_total{server="local"} 2',
      exits('crashed', 0),
      // Its processes have ended.
      exits('ended', 1),
      'mcp_auth_proxy_stdio_processes{server="local"} 1',
      'mcp_auth_proxy_stdio_processes_limit{server="local"} 16',
    ])
    const names = (await readMetrics(admin)).split('\n').map((line) => line.slice(0, line.lastIndexOf(' ')))
    expect(names.filter((name, index) => name.startsWith('mcp') && names.indexOf(name) !== index)).toEqual([])
  })
})

describe('all metrics', () => {
  it('are explained in docs/operations.md with their type and labels, and nothing else is', async () => {
    const stage = await startBrokerStage({
      config: { admin: { port: 0 } },
      servers: (upstream) => [
        { name: 'example', path: '/mcp', upstream },
        { name: 'local', path: '/local', upstream: { command: [...scripted] } },
      ],
    })
    open.push(stage.close)
    const admin = stage.proxy.adminUrl ?? ''
    await waitUntil(async () => (await readMetrics(admin)).includes('event_loop'), 'the event loop was looked at')
    await (await fetch(stage.url, { method: 'POST' })).text()
    await waitUntil(async () => (await readMetrics(admin)).includes('requests_total'), 'the request was counted')
    const shown = findFamilies(await readMetrics(admin))
    const explained = findExplained()
    const usual = (names: Iterable<string>) => [...names].filter((name) => !NEEDS_TRAFFIC.has(name)).sort()
    expect(usual(shown.keys())).toEqual(usual(explained.keys()))
    for (const [name, description] of shown) expect([name, explained.get(name)]).toEqual([name, description])
  })
})

/** Shown once there were such calls and sign-ins, and issuers other than our own. `test/ops` has them all. */
const NEEDS_TRAFFIC = new Set(
  [
    'upstream_seconds tool_calls_total would_deny_total introspections_total keys_age_seconds key_fetches_total tokens_total',
    'authorizations_total sign_ins_total consents_total registrations_total token_requests_total',
  ].flatMap((names) => names.split(' ').map((name) => `mcp_auth_proxy_${name}`)),
)

/** Type and labels by name. */
function findFamilies(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\w+) (\w+)\n\w+(?:\{(.*)\})? /gm)].map(([, name = '', type, labels = '']) => {
      const names = [...labels.matchAll(/(\w+)="/g)].flatMap(([, label]) => (label === 'le' ? [] : [label]))
      return [name, [type, ...names].join(' ')]
    }),
  )
}

function findExplained(): Map<string, string> {
  const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8')
  return new Map(
    [...page.matchAll(/^\| `(mcp_auth_proxy_\w+)` \| (\w+) \| (.*?) \|/gm)].map(([, name = '', type, labels = '']) => {
      return [name, [type, ...[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)].join(' ')]
    }),
  )
}
