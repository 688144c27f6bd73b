// Python servers as people write them, behind the proxy; both generations of the official TypeScript client before it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { findSecrets } from '../support/log.ts'
import { connectSdkClient, SDK_CLIENTS, type SdkClient } from '../support/sdk-clients.ts'
import { type ProtectedServers, protect } from './protected-servers.ts'
import { findPython, type PythonServer, startPythonServer } from './python-server.ts'

const [alice] = SAMPLE_USERS

describe.each(['fastmcp', 'v1'] as const)('a FastMCP server (%s)', (generation) => {
  const python = findPython(generation)
  const servers: PythonServer[] = []
  const clients: SdkClient[] = []
  let guarded: ProtectedServers

  beforeAll(async () => {
    if (python === undefined) return
    const [http, sse] = await Promise.all([
      startPythonServer(python, generation, 'http'),
      startPythonServer(python, generation, 'sse'),
    ])
    servers.push(http, sse)
    guarded = await protect({ http: http.url, sse: sse.url })
  })
  afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))))
  afterAll(async () => {
    await guarded?.close()
    await Promise.all(servers.map((server) => server.close()))
  })

  describe.skipIf(python === undefined).each(SDK_CLIENTS)('for the %s client over %s', (sdk, transport) => {
    const createOAuth = () => createOAuthClient({ name: 'Interop', redirectUri: 'http://localhost:50124/callback' })
    async function open(): Promise<SdkClient> {
      const url = transport === 'sse' ? guarded.sseUrl : guarded.url
      const client = await connectSdkClient({ generation: sdk, transport, url, oauth: createOAuth(), user: alice })
      clients.push(client)
      return client
    }

    it('works as it does without the proxy, once a user has signed in', async () => {
      const client = await open()
      expect(await client.listTools()).toEqual(expect.arrayContaining(['echo_tool', 'count', 'credentials', 'delete_everything']))
      expect(await client.callTool('echo_tool', { message: 'Grüße, 世界' })).toBe('Tool echo: Grüße, 世界')
      expect(await client.readResource('echo://hello')).toContain('Resource echo: hello')
      expect(await client.getPrompt('echo_prompt', { message: 'hello' })).toContain('Please process this message: hello')
    })

    it('reports progress while a call runs', async () => {
      const progress: number[] = []
      const client = await open()
      expect(await client.callTool('count', { steps: 3 }, { onprogress: (step) => progress.push(step) })).toBe('Counted to 3')
      expect(progress).toEqual([1, 2, 3])
    })

    it('gets no credential of its client', async () => {
      const headers = await (await open()).callTool('credentials')
      expect(headers).toBe(`authorization=None, cookie=None, x-forwarded-host=localhost:${guarded.proxy.port}`)
    })

    it('is not called for what the user may not grant', async () => {
      const refused = () => guarded.proxy.log.records().filter(({ code }) => code === 'scope_insufficient').length
      const before = refused()
      const client = await open()
      await expect(client.callTool('delete_everything')).rejects.toThrow()
      expect(refused()).toBeGreaterThan(before)
      expect(servers.flatMap(({ lines }) => lines).join('\n')).not.toContain('delete_everything was called')
    })

    // HTTP+SSE ends with its stream, and 2026-07-28 knows no MCP sessions.
    if (transport === 'streamable' && sdk !== 'v2 auto')
      it('hears when its client ends the MCP session', async () => {
        const ended = () =>
          guarded.proxy.log.records().filter(({ method, status }) => method === 'DELETE' && status === 200).length
        const before = ended()
        await (await open()).terminate()
        await guarded.proxy.log.waitFor(() => ended() > before)
      })
  })

  it.skipIf(python === undefined)('runs behind a log that knows no secrets', () => {
    expect(guarded.proxy.log.records().length).toBeGreaterThan(0)
    expect(findSecrets(guarded.proxy.log.text(), [alice.password])).toEqual([])
  })
})
