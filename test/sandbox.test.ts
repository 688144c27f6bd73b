import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../demo/mcp-server.ts'
import { createOAuthClient } from '../demo/oauth-client.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { SAMPLE_USERS, type User } from '../src/sandbox/users.ts'
import { findFreePair } from './support/free-port.ts'
import { connectSdkClient, type SdkClient } from './support/sdk-clients.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')
const directory = mkdtempSync(join(tmpdir(), 'sandbox-'))
const [alice, bob] = SAMPLE_USERS

const cleanups: (() => Promise<unknown>)[] = []
let example: ExampleMcpServer

beforeAll(async () => {
  example = await startMcpServer()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(async () => {
  await example?.close()
  rmSync(directory, { recursive: true })
})

interface Run {
  readonly child: ChildProcess
  /** What was written to standard error until now. */
  readonly error: () => string
  readonly code: Promise<number | null>
}

function run(...argv: string[]): Run {
  const child = spawn(process.execPath, [main, ...argv], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  let error = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    error += chunk
  })
  const code = once(child, 'close').then(([status]) => status as number | null)
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await code
  })
  return { child, error: () => error, code }
}

/** A proxy that has told how to sign in. */
async function startDemo(...argv: string[]) {
  const proxy = run('--demo', ...argv)
  const ended = proxy.code.then(() => true)
  while (!/choose demo, authenticate\n/.test(proxy.error())) {
    const isOver = await Promise.race([once(proxy.child.stderr ?? proxy.child, 'data').then(() => false), ended])
    if (isOver) throw new Error(`ended: ${proxy.error()}`)
  }
  const find = (pattern: RegExp) => pattern.exec(proxy.error())?.[1] ?? ''
  return {
    ...proxy,
    listening: find(/is listening on (\S+)\n/),
    url: find(/for clients +(\S+)\n/),
    sandbox: find(/sign in at (\S+) as/),
  }
}

async function connect(url: string, user: User): Promise<SdkClient> {
  const oauth = createOAuthClient({ name: 'Somebody’s client', redirectUri: 'http://localhost:50123/callback' })
  const client = await connectSdkClient({ generation: 'v2 auto', transport: 'streamable', url, oauth, user })
  cleanups.push(() => client.close())
  return client
}

function write(name: string, content: string): string {
  writeFileSync(join(directory, name), content)
  return name
}

/** Listens on a port of 127.0.0.1. @throws when somebody has it */
async function occupy(port: number): Promise<() => Promise<void>> {
  const server = createServer()
  await listenOnLoopback(server, port)
  return () => closeServer(server)
}

describe('--demo', () => {
  it('signs sample users in before an MCP server over HTTP, and frees both ports when it is stopped', async () => {
    const demo = await startDemo('--upstream', example.streamableHttpUrl, '--port', String(await findFreePair()))
    expect(demo.error()).toMatch(/^DEMO: only for trying it out on this machine\./m)
    for (const { name, password } of SAMPLE_USERS)
      expect(demo.error()).toMatch(new RegExp(`^ +${name} +password ${password} `, 'm'))
    const client = await connect(demo.url, alice)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()
    demo.child.kill('SIGTERM')
    expect(await demo.code).toBe(0)
    for (const url of [demo.listening, demo.sandbox]) await (await occupy(Number(new URL(url).port)))()
  })

  it('starts an MCP server over stdio, without a port being named', async () => {
    const demo = await startDemo('--port', '0', '--', process.execPath, everything, 'stdio')
    const client = await connect(demo.url, bob)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
  })

  it('takes a file of ours, lets only the administrator have what single tools need, and no other issuer in', async () => {
    const policy = 'scopes: [files], rules: [{ tool: admin_*, scopes: [files:admin] }]'
    const file = write(
      'ours.yaml',
      `listen: { port: 0 }\nissuers: [https://idp.invalid]\nservers: [{ path: /files, upstream: "${example.streamableHttpUrl}", ${policy} }]\n`,
    )
    const demo = await startDemo('--config', file)
    expect(demo.error()).toMatch(/^notice issuers: not used with `--demo`/m)
    expect(demo.error()).toMatch(/bob .* may have files, files:admin\n/)
    const metadata = await fetch(demo.url.replace('/files', '/.well-known/oauth-protected-resource/files'))
    expect(await metadata.json()).toMatchObject({ authorization_servers: [demo.sandbox] })
    const client = await connect(demo.url, alice)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await expect(client.callTool('admin_reset')).rejects.toThrow()
    const other = await connect(demo.url, bob)
    expect(await other.callTool('admin_reset')).not.toBe('')
  })

  it('takes a file of the Go proxy without a block for it, on this machine only', async () => {
    const port = await findFreePair()
    const file = write(
      'go.yaml',
      `base_url: ${new URL(example.streamableHttpUrl).origin}\nlisten_port: ${port}\npaths: { streamable_http: /mcp }\nasgardeo: { org_name: acme, client_id: id, client_secret: the-secret }\n`,
    )
    const demo = await startDemo('--config', file)
    expect(demo.listening).toBe(`http://127.0.0.1:${port}`)
    expect(demo.error()).toMatch(/^notice asgardeo: is not used with `--demo`/m)
    expect(demo.error()).not.toContain('the-secret')
    const client = await connect(demo.url, alice)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
  })

  it('signs in at another port when the one beside the proxy’s is taken', async () => {
    const port = await findFreePair()
    cleanups.push(await occupy(port + 1))
    const demo = await startDemo('--upstream', example.streamableHttpUrl, '--port', String(port))
    expect(new URL(demo.sandbox).port).not.toBe(String(port + 1))
    const client = await connect(demo.url, alice)
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
  })

  it('is answered at the names of this machine only, so that no web page can sign in by a name of its own', async () => {
    const demo = await startDemo('--upstream', example.streamableHttpUrl, '--port', '0')
    const ask = async (host: string) => {
      const asked = request(`${demo.sandbox}/.well-known/openid-configuration`, { agent: false, headers: { host } }).end()
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    const { host, port } = new URL(demo.sandbox)
    expect(await ask(host)).toBe(200)
    expect(await ask(`127.0.0.1:${port}`)).toBe(200)
    for (const foreign of ['evil.example', `evil.example:${port}`, 'localhost:1', `localhost.evil.example:${port}`])
      expect(await ask(foreign)).toBe(421)
  })

  it.each([
    [['--host', '0.0.0.0'], /^--host\n/m],
    [['--host', '::'], /^--host\n/m],
    [['--public-url', 'https://mcp.example.com'], /^--public-url\n/m],
    [['--issuer', 'https://idp.example.com'], /--issuer and --demo/],
  ])('is refused with 2 beside %j', async (flags, said) => {
    const { code, error } = run('--demo', '--upstream', example.streamableHttpUrl, '--port', '0', ...flags)
    expect(await code).toBe(2)
    expect(error()).toMatch(said)
    expect(error()).not.toContain('is listening')
  })

  it('has nothing that doctor could look at', async () => {
    const { code, error } = run('doctor', '--demo', '--upstream', example.streamableHttpUrl)
    expect(await code).toBe(2)
    expect(error()).toMatch(/starts its authorization server with the proxy/)
  })

  it('fails with 1, and leaves nothing behind, when the port of the proxy is in use', async () => {
    const port = await findFreePair()
    cleanups.push(await occupy(port))
    const { code, error } = run('--demo', '--upstream', example.streamableHttpUrl, '--port', String(port))
    expect(await code).toBe(1)
    expect(error()).toMatch(new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is in use`))
    await (await occupy(port + 1))()
  })
})
