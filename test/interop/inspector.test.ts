// A client that nobody here wrote: the command line of the MCP Inspector, with a token that it is given, and with one that it gets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { findFreePort } from '../support/free-port.ts'
import { findSecrets } from '../support/log.ts'
import { connectSdkClient } from '../support/sdk-clients.ts'
import { type ProtectedServers, protect } from './protected-servers.ts'
import { inspector, runInspector } from './run-inspector.ts'

const [alice, bob] = SAMPLE_USERS

let example: ExampleMcpServer
let guarded: ProtectedServers
/** Where the Inspector keeps its registrations and tokens. */
let home: string

beforeAll(async () => {
  example = await startMcpServer()
  guarded = await protect({ http: example.streamableHttpUrl, sse: example.sseUrl })
})
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'inspector-'))
  return () => rm(home, { recursive: true })
})
afterAll(async () => {
  await guarded.close()
  await example.close()
})

const run = (parameters: readonly string[]) => runInspector(home, parameters)

async function findToken(): Promise<string> {
  const oauth = createOAuthClient({ name: 'Interop', redirectUri: 'http://localhost:50126/callback' })
  const client = await connectSdkClient({ generation: 'v2 auto', transport: 'streamable', url: guarded.url, oauth, user: alice })
  await client.close()
  return oauth.tokens()?.access_token ?? ''
}

describe.skipIf(inspector === undefined)('the MCP Inspector', () => {
  describe.each(['legacy', 'modern'])('with a token that it is given, in the %s era', (era) => {
    let given: string[]
    beforeAll(async () => {
      given = [
        guarded.url,
        '--transport',
        'http',
        '--protocol-era',
        era,
        '--header',
        `Authorization: Bearer ${await findToken()}`,
      ]
    })

    it('lists tools', async () => {
      const { exitCode, result } = await run([...given, '--method', 'tools/list'])
      expect(exitCode).toBe(0)
      expect(JSON.stringify(result)).toContain('count_slowly')
    })

    it('calls a tool', async () => {
      const call = ['--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=Grüße, 世界']
      const { exitCode, result } = await run([...given, ...call])
      expect(exitCode).toBe(0)
      expect(JSON.stringify(result)).toContain('Echo: Grüße, 世界')
    })

    it('reads a resource, and gets a prompt', async () => {
      const resource = await run([...given, '--method', 'resources/read', '--uri', 'echo://hello'])
      expect(JSON.stringify(resource.result)).toContain('Resource echo: hello')
      const prompt = await run([...given, '--method', 'prompts/get', '--prompt-name', 'echo', '--prompt-args', 'message=hello'])
      expect(JSON.stringify(prompt.result)).toContain('Please process this message: hello')
    })

    it('is told when a tool needs more than the token permits', async () => {
      const call = ['--stored-auth-only', '--method', 'tools/call', '--tool-name', 'admin_reset']
      const { exitCode, errors } = await run([...given, ...call])
      expect(exitCode).not.toBe(0)
      expect(errors).toMatch(/scope/)
      await guarded.proxy.log.waitFor(({ code, status }) => code === 'scope_insufficient' && status === 403)
    })
  })

  it('is told to sign in when it has no token', async () => {
    const { exitCode, errors } = await run([guarded.url, '--transport', 'http', '--stored-auth-only', '--method', 'tools/list'])
    expect(exitCode).toBe(3)
    expect(errors).toContain('auth_required')
  })

  it.each([
    ['Streamable HTTP', 'http'],
    ['HTTP+SSE', 'sse'],
  ])('finds its own way to a token over %s, and remembers it', async (_what, transport) => {
    const callback = ['--callback-url', `http://127.0.0.1:${await findFreePort()}/oauth/callback`]
    const place = [transport === 'sse' ? guarded.sseUrl : guarded.url, '--transport', transport]
    const first = await run([...place, ...callback, '--method', 'tools/list'])
    expect(first).toMatchObject({ exitCode: 0, signIns: 1 })
    expect(JSON.stringify(first.result)).toContain('admin_reset')
    const second = await run([
      ...place,
      '--stored-auth-only',
      '--method',
      'tools/call',
      '--tool-name',
      'echo',
      '--tool-arg',
      'message=x',
    ])
    expect(second).toMatchObject({ exitCode: 0, signIns: 0 })
  })

  it('leaves no credential with the MCP server, and no secret in the log', () => {
    expect(example.received.requests).toBeGreaterThan(0)
    expect(example.received.withCredentials).toBe(0)
    expect(findSecrets(guarded.proxy.log.text(), [alice.password, bob.password])).toEqual([])
  })
})
