// Python servers over their standard streams, behind the proxy as people start it: one command, and the server's own behind `--`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { findFreePort } from '../support/free-port.ts'
import { findSecrets } from '../support/log.ts'
import { listProcesses, waitUntil } from '../support/processes.ts'
import { connectSdkClient, type Generation, SDK_CLIENTS, type SdkClient, type TransportKind } from '../support/sdk-clients.ts'
import { createStdioCommand, findPython } from './python-server.ts'

const [alice, bob] = SAMPLE_USERS
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

describe.each(['fastmcp', 'v1'] as const)('a FastMCP server over its standard streams (%s)', (generation) => {
  const python = findPython(generation)
  const clients: SdkClient[] = []
  let authorizationServer: AuthorizationServer
  let proxy: ChildProcess
  let origin: string
  let said = ''

  beforeAll(async () => {
    if (python === undefined) return
    authorizationServer = await startAuthorizationServer()
    const port = await findFreePort()
    origin = `http://localhost:${port}`
    for (const path of ['mcp', 'sse']) authorizationServer.addResource(`${origin}/${path}`)
    const flags = ['--issuer', authorizationServer.issuer, '--port', String(port)]
    proxy = spawn(process.execPath, [main, ...flags, '--', ...createStdioCommand(python, generation)], {
      env: { ...process.env, SECRET_OF_THE_PROXY: 'do-not-tell-the-server' },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
    })
    for (const stream of [proxy.stdout, proxy.stderr]) stream?.on('data', (chunk) => (said += chunk))
    await waitUntil(() => said.includes(`${origin}/sse`), 'the proxy listens', 30_000).catch((error) => {
      throw new Error(`the proxy did not start:\n${said}`, { cause: error })
    })
  })
  afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))))
  afterAll(async () => {
    if (proxy?.exitCode === null) proxy.kill('SIGKILL')
    await authorizationServer?.close()
  })

  async function open(sdk: Generation, transport: TransportKind, user = alice): Promise<SdkClient> {
    const oauth = createOAuthClient({ name: 'Interop', redirectUri: 'http://localhost:50127/callback' })
    const url = `${origin}/${transport === 'sse' ? 'sse' : 'mcp'}`
    const client = await connectSdkClient({ generation: sdk, transport, url, oauth, user })
    clients.push(client)
    return client
  }

  describe.skipIf(python === undefined).each(SDK_CLIENTS)('for the %s client over %s', (sdk, transport) => {
    it('works as it does without the proxy, once a user has signed in', async () => {
      const client = await open(sdk, transport)
      expect(await client.listTools()).toEqual(expect.arrayContaining(['echo_tool', 'count', 'delete_everything']))
      expect(await client.callTool('echo_tool', { message: 'Grüße, 世界' })).toBe('Tool echo: Grüße, 世界')
      expect(await client.readResource('echo://hello')).toContain('Resource echo: hello')
      expect(await client.getPrompt('echo_prompt', { message: 'hello' })).toContain('Please process this message: hello')
    })

    it('reports progress while a call runs', async () => {
      const progress: number[] = []
      const client = await open(sdk, transport)
      expect(await client.callTool('count', { steps: 3 }, { onprogress: (step) => progress.push(step) })).toBe('Counted to 3')
      // The v1 client looks at notifications a microtask later than at answers: it drops progress that is read together with the answer.
      expect(progress).toEqual([1, 2, 3].slice(0, sdk === 'v1' ? progress.length : 3))
    })

    it('tells two users apart: each has a server process', async () => {
      const [one, other] = [await open(sdk, transport), await open(sdk, transport, bob)]
      const pids = [await one.callTool('process_id'), await other.callTool('process_id')]
      expect(new Set(pids).size).toBe(2)
    })
  })

  it.skipIf(python === undefined)('knows nothing of the proxy’s environment', async () => {
    const client = await open('v1', 'streamable')
    const environment = await client.callTool('environment')
    expect(environment).toContain('PATH')
    expect(environment).not.toMatch(/SECRET_OF_THE_PROXY|do-not-tell|NODE_(?!EXTRA_CA_CERTS)|VITEST/)
  })

  it.skipIf(python === undefined)('ends with the proxy, whose log knows no secrets', async () => {
    const client = await open('v1', 'streamable')
    const pid = Number(await client.callTool('process_id'))
    const gone = once(proxy, 'exit')
    proxy.kill('SIGTERM')
    expect(await gone).toEqual([0, null])
    expect(listProcesses().filter((one) => one.pid === pid)).toEqual([])
    expect(findSecrets(said, [alice.password, bob.password])).toEqual([])
  })
})
