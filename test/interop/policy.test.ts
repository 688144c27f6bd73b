// Clients that nobody here wrote, under `access` and `rules`: what they see, how they step up, and that they give up where scopes would not help.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { startEverythingServer } from '../support/everything-server.ts'
import { findFreePort } from '../support/free-port.ts'
import type { TestProxy } from '../support/proxy.ts'
import { createEnvironment, type Environment } from './clients/environment.ts'
import { mcpRemote, openMcpRemote } from './clients/mcp-remote.ts'
import type { WalkedClient } from './clients/walk.ts'
import { type ProtectedServers, protect } from './protected-servers.ts'
import { inspector, runInspector } from './run-inspector.ts'

/** The second of the users may grant `mcp:admin`. */
const [, bob] = SAMPLE_USERS

const policy = {
  access: [
    { everyone: true as const, tools: ['echo', 'admin_reset'] },
    { groups: ['nobody'], tools: ['count_slowly'] },
  ],
  rules: [
    { tool: 'admin_reset', scopes: ['mcp:admin'] },
    { tool: 'echo', require: "args.message != 'forbidden'", reason: 'Not that word.' },
  ],
}

/** How often calls of a tool were refused. */
function countRefusals({ log }: TestProxy, tool: string): number {
  const records = log.records().filter(({ decision, operations }) => {
    return decision === 'deny' && Array.isArray(operations) && operations.includes(`tools/call ${tool}`)
  })
  return records.length
}

describe.skipIf(mcpRemote === undefined)('mcp-remote', { timeout: 240_000 }, () => {
  let environment: Environment
  let client: WalkedClient
  beforeAll(async () => {
    const servers = (upstream: string) => [{ name: 'example', path: '/mcp', upstream, scopes: ['mcp:tools'], ...policy }]
    environment = await createEnvironment({ servers })
    client = await openMcpRemote(environment)
  }, 240_000)
  afterAll(() => environment?.close())

  it('shows what may be used, and what only lacks a scope', async () => {
    expect((await client.listTools()).toSorted()).toEqual(['admin_reset', 'echo'])
  })

  it.each([
    ['of a require that does not hold', 'echo', { message: 'forbidden' }],
    ['of a hidden tool', 'count_slowly', {}],
  ] as const)('gives up at the refusal %s, without the browser', async (_what, tool, parameters) => {
    const visits = environment.person.visits.length
    expect((await client.callTool(tool, parameters)).succeeded).toBe(false)
    expect(await client.callTool('echo', { message: 'x' })).toEqual({ succeeded: true, text: expect.stringContaining('Echo: x') })
    expect(environment.person.visits).toHaveLength(visits)
    expect(countRefusals(environment.stage.proxy, tool)).toBe(1)
  })

  it('steps up for a scope, and goes on', async () => {
    expect((await client.callTool('admin_reset', {})).succeeded).toBe(true)
    const { visits, failures } = environment.person
    expect(visits.map(({ scopes }) => scopes.includes('mcp:admin'))).toEqual([false, true])
    expect(failures).toEqual([])
  })
})

describe.skipIf(inspector === undefined)('the MCP Inspector', { timeout: 240_000 }, () => {
  let example: ExampleMcpServer
  let guarded: ProtectedServers
  let home: string
  let place: readonly string[]
  beforeAll(async () => {
    example = await startMcpServer()
    guarded = await protect({ http: example.streamableHttpUrl, sse: example.sseUrl }, policy)
    home = await mkdtemp(join(tmpdir(), 'inspector-'))
    place = [guarded.url, '--transport', 'http', '--callback-url', `http://127.0.0.1:${await findFreePort()}/oauth/callback`]
  })
  afterAll(async () => {
    await guarded?.close()
    await example?.close()
    await rm(home, { recursive: true })
  })
  const run = (...parameters: string[]) => runInspector(home, [...place, ...parameters], bob)
  const call = (tool: string, ...parameters: string[]) =>
    run('--method', 'tools/call', '--tool-name', tool, ...parameters.flatMap((one) => ['--tool-arg', one]))

  it('shows what may be used, and what only lacks a scope', async () => {
    const { result, signIns } = await run('--method', 'tools/list')
    const names = JSON.stringify(result).match(/"name":"[a-z_]+"/g)
    expect(names?.toSorted()).toEqual(['"name":"admin_reset"', '"name":"echo"'])
    expect(signIns).toBe(1)
  })

  it.each([
    ['of a require that does not hold', 'echo', ['message=forbidden']],
    ['of a hidden tool', 'count_slowly', []],
  ])('gives up at the refusal %s, without signing in anew', async (_what, tool, parameters) => {
    const { exitCode, signIns } = await call(tool, ...parameters)
    expect(exitCode).not.toBe(0)
    expect(signIns).toBe(0)
    expect(countRefusals(guarded.proxy, tool)).toBeLessThanOrEqual(1)
  })

  it('gives up where scopes would help as well, since it has a refresh token that brings no more: one refusal, and an error', async () => {
    const { exitCode, signIns, errors } = await call('admin_reset')
    expect({ exitCode, signIns }).toEqual({ exitCode: 1, signIns: 0 })
    expect(errors).toContain('auth() returned AUTHORIZED without authorization code')
    expect(countRefusals(guarded.proxy, 'admin_reset')).toBe(1)
    expect(guarded.proxy.log.records().filter(({ code }) => code === 'scope_insufficient')).toHaveLength(1)
    expect((await call('echo', 'message=x')).exitCode).toBe(0)
  })

  it('connects to an MCP server that declares logging where an entry lets it set the log level, as the documentation says', async () => {
    const everything = await startEverythingServer('streamableHttp')
    const access = [...policy.access, { everyone: true as const, methods: ['logging/setLevel'] }]
    const other = await protect({ http: everything.url, sse: example.sseUrl }, { ...policy, access })
    try {
      const callback = ['--callback-url', `http://127.0.0.1:${await findFreePort()}/oauth/callback`]
      const { exitCode, result } = await runInspector(
        home,
        [other.url, '--transport', 'http', ...callback, '--method', 'tools/list'],
        bob,
      )
      expect(exitCode).toBe(0)
      expect(JSON.stringify(result).match(/"name":"[a-z_]+"/g)).toEqual(['"name":"echo"'])
      await other.proxy.log.waitFor(({ operations }) => Array.isArray(operations) && operations.includes('logging/setLevel'))
    } finally {
      await other.close()
      await everything.close()
    }
  })

  it('asks for all scopes at the sign-in where `scopes_supported` names them, and calls the tool', async () => {
    const supported = { ...policy, scopes_supported: ['mcp:tools', 'mcp:admin'] }
    const other = await protect({ http: example.streamableHttpUrl, sse: example.sseUrl }, supported)
    try {
      const callback = ['--callback-url', `http://127.0.0.1:${await findFreePort()}/oauth/callback`]
      const parameters = [other.url, '--transport', 'http', ...callback, '--method', 'tools/call', '--tool-name', 'admin_reset']
      const { exitCode, signIns } = await runInspector(home, parameters, bob)
      expect({ exitCode, signIns }).toEqual({ exitCode: 0, signIns: 1 })
    } finally {
      await other.close()
    }
  })
})
