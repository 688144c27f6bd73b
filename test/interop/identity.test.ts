// MCP servers that are told who calls verify it with what docs/recipes/identity.md says, letter by letter but for the addresses.
import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { closeServer } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens } from '../support/broker-client.ts'
import { startBrokerStage } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { findProgram } from './programs.ts'
import { type PythonProgram, startPythonProgram } from './python-server.ts'

const page = readFileSync(new URL('../../docs/recipes/identity.md', import.meta.url), 'utf8')
const UPSTREAM = 'http://127.0.0.1:8000/mcp'
const PROXY = 'https://mcp.example.com'

/** A program of the page, with the addresses of this test. */
function readRecipe(name: string, addresses: { readonly proxy: string; readonly upstream: string }): string {
  const [, code] = new RegExp(`<!-- runs: ${name} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  if (code === undefined) throw new Error(`the page has no program for ${name}`)
  expect(code).toContain(`${PROXY}/`)
  expect(code).toContain(UPSTREAM)
  return code.replaceAll(UPSTREAM, addresses.upstream).replaceAll(PROXY, addresses.proxy)
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const env = { IDENTITY_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
const audience = 'https://mcp.example.com/mcp'

const folder = mkdtempSync(join(mkdirCache(), 'recipe-'))
/** In the project, where its packages are found. */
function mkdirCache(): string {
  const cache = join(import.meta.dirname, '../../.cache')
  mkdirSync(cache, { recursive: true })
  return cache
}

let issuer: TestIssuer
let proxy: TestProxy
let recorder: RecordingUpstream
let upstream: string
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  issuer = await startIssuer({ audience })
})
afterAll(async () => {
  await issuer.close()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  upstream = `http://127.0.0.1:${await findFreePort()}/mcp`
  recorder = await startRecordingUpstream()
  const identity = { key: { env: 'IDENTITY_KEY' }, claims: ['name'] }
  const servers: ConfigInput['servers'] = [
    { path: '/mcp', upstream, audience: [audience], identity },
    // Another MCP server, which keeps the assertions that it gets.
    { path: '/other', upstream: `${recorder.origin}/mcp`, audience: [audience], identity },
  ]
  proxy = await startTestProxy({ issuers: [issuer.issuer], servers }, env)
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
  await Promise.all([proxy.close(), recorder.close()])
})

const mint = () => issuer.mint({ claims: { sub: 'alice', name: 'Zoë, Alice' } })
const subject = () => `${issuer.issuer}|alice`

/** What none of them may take for a caller: the caller's own token, an assertion for another server, one that is forged, and none. */
async function listImpostors(): Promise<(string | undefined)[]> {
  const token = await mint()
  await post(`${proxy.origin}/other`, token)
  const forged = await new SignJWT({ sub: 'eve' })
    .setProtectedHeader({ alg: 'ES256', kid: 'none', typ: 'omap-identity+jwt' })
    .setIssuer(proxy.origin)
    .setAudience(upstream)
    .setExpirationTime('5m')
    .sign(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  return [token, findAssertion(), forged, undefined]
}

const findAssertion = () => String(recorder.requests.at(-1)?.headers.authorization).replace('Bearer ', '')

const post = (url: string, token: string | undefined) =>
  fetch(url, {
    method: 'POST',
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  })

async function callTool(url: string, token: string): Promise<string> {
  const client = new Client({ name: 'test-client', version: '1.0.0' })
  closing.push(() => client.close())
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  )
  const { content } = (await client.callTool({ name: 'whoami', arguments: {} })) as { content: { text: string }[] }
  return content[0]?.text ?? ''
}

const python = findProgram('python')

async function startFastMcp(program: string, url: string): Promise<PythonProgram> {
  const run = `server.run(transport="http", show_banner=False, host="127.0.0.1", port=${new URL(url).port})`
  const started = await startPythonProgram(python ?? '', ['-B', '-c', `${program}\n${run}\n`])
  closing.push(() => started.close())
  return started
}

describe.skipIf(python === undefined)('FastMCP', () => {
  it('knows the caller by the assertion, and accepts nothing else', async () => {
    await startFastMcp(readRecipe('fastmcp', { proxy: proxy.origin, upstream }), upstream)
    expect(await callTool(`${proxy.origin}/mcp`, await mint())).toBe(subject())
    for (const impostor of await listImpostors()) expect((await post(upstream, impostor)).status).toBe(401)
  })

  it('verifies a token of the proxy that is forwarded as the page says', async () => {
    const [, verifier = ''] = page.split("## The caller's own token")[1]?.split('```python\n') ?? []
    const stage = await startBrokerStage({
      servers: () => [{ path: '/mcp', upstream, scopes: ['mcp:tools'], forward_access_token: true }],
    })
    closing.push(() => stage.close())
    const [imports = '', uses = ''] = readRecipe('fastmcp', { proxy: stage.proxy.origin, upstream }).split(
      /verifier = JWTVerifier\([\s\S]*?\n\)\n/,
    )
    const forwarded = `verifier = ${verifier.split('```')[0]?.replaceAll(PROXY, stage.proxy.origin)}`
    await startFastMcp(`${imports}${forwarded}${uses}`, upstream)
    const { origin } = stage.proxy
    const tokens = await obtainTokens(origin, await createRawClient(origin), SAMPLE_USERS[0], { scope: 'mcp:tools' })
    expect(await callTool(stage.url, tokens.access_token)).toBe('alice')
  })
})

describe.skipIf(python === undefined)('a few lines of Python', () => {
  it('verify the assertion, and nothing else', async () => {
    await post(`${proxy.origin}/other`, await mint())
    const addresses = { proxy: proxy.origin, upstream: `${recorder.origin}/mcp` }
    const file = join(folder, 'verify.py')
    writeFileSync(file, `${readRecipe('python', addresses)}\nimport json, sys\nprint(json.dumps(verify(sys.stdin.read())))\n`)
    await checkProgram([python ?? '', '-B', file])
  })
})

const hasGo = has('go', ['version'])

describe.skipIf(!hasGo)('a few lines of Go', () => {
  it('verify the assertion, and nothing else', async () => {
    await post(`${proxy.origin}/other`, await mint())
    const addresses = { proxy: proxy.origin, upstream: `${recorder.origin}/mcp` }
    writeFileSync(join(folder, 'verify.go'), readRecipe('go', addresses))
    writeFileSync(join(folder, 'main.go'), GO_MAIN)
    const program = join(folder, 'verify')
    const built = spawnSync('go', ['build', '-o', program, join(folder, 'verify.go'), join(folder, 'main.go')], {
      encoding: 'utf8',
    })
    expect(built.stderr).toBe('')
    await checkProgram([program])
  })
})

const GO_MAIN = `package main

import ("encoding/json"; "fmt"; "io"; "os")

func main() {
	text, _ := io.ReadAll(os.Stdin)
	claims, err := verify(string(text))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(claims)
}
`

/** Has a program that reads an assertion verify the one that came last, and others that it must refuse. */
async function checkProgram(command: readonly string[]): Promise<void> {
  const assertion = findAssertion()
  const { stdout, stderr } = await run(command, assertion)
  expect(JSON.parse(stdout || JSON.stringify(stderr))).toMatchObject({ sub: subject(), name: 'Zoë, Alice' })
  const [header = '', payload = '', signature = ''] = assertion.split('.')
  const eve = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('alice', 'eve')).toString('base64url')
  const none = Buffer.from('{"alg":"none","typ":"omap-identity+jwt"}').toString('base64url')
  const untyped = Buffer.from(Buffer.from(header, 'base64url').toString().replace('omap-identity+', '')).toString('base64url')
  const forgeries = [
    `${header}.${eve}.${signature}`,
    `${none}.${payload}.`,
    `${untyped}.${payload}.${signature}`,
    `${header}.${payload}.`,
  ]
  for (const forged of forgeries) expect((await run(command, forged)).code, forged).not.toBe(0)
}

/** Not `spawnSync`: the program fetches keys from the proxy, which runs in this process. */
async function run([command = '', ...parameters]: readonly string[], input: string) {
  const child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(input)
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close').then(([status]) => status),
  ])
  return { stdout, stderr, code }
}

describe('the bearer middleware of the TypeScript SDK', () => {
  it('knows the caller by the assertion, and accepts nothing else', async () => {
    const file = join(folder, 'auth.ts')
    writeFileSync(file, readRecipe('typescript', { proxy: proxy.origin, upstream }))
    const { auth } = (await import(file)) as { auth: ReturnType<typeof requireBearerAuth> }
    const app = createMcpExpressApp()
    app.post('/mcp', auth, (request, response) => {
      const { auth: info } = request as unknown as { auth: { extra: unknown } }
      response.json({ jsonrpc: '2.0', id: request.body.id, result: info.extra })
    })
    const server = await new Promise<Server>((resolve) => {
      const listening = app.listen(Number(new URL(upstream).port), '127.0.0.1', () => resolve(listening))
    })
    closing.push(() => closeServer(server))
    expect(await (await post(`${proxy.origin}/mcp`, await mint())).json()).toMatchObject({ result: { sub: subject() } })
    for (const impostor of await listImpostors()) expect((await post(upstream, impostor)).status).toBe(401)
  })
})

const spring = has('javac', ['--version']) ? findProgram('spring') : undefined

describe.skipIf(spring === undefined)("Spring Security's resource server", () => {
  it('knows the caller by the assertion, and accepts nothing else', async () => {
    const source = join(folder, 'Server.java')
    const template = readFileSync(join(import.meta.dirname, 'spring/Server.java'), 'utf8')
    writeFileSync(source, template.replace('// DECODER', readRecipe('spring', { proxy: proxy.origin, upstream })))
    const libraries = join(spring ?? '', '*')
    const built = await run(['javac', '-parameters', '-cp', libraries, '-d', folder, source], '')
    expect(built.code, built.stderr).toBe(0)
    const options = ['-XX:TieredStopAtLevel=1', `-Dserver.port=${new URL(upstream).port}`, '-Dserver.address=127.0.0.1']
    const server = await startPythonProgram('java', [...options, '-cp', `${folder}:${libraries}`, 'example.Server'])
    closing.push(() => server.close())
    expect(await (await post(`${proxy.origin}/mcp`, await mint())).json()).toMatchObject({ result: { sub: subject() } })
    for (const impostor of await listImpostors()) expect((await post(upstream, impostor)).status).toBe(401)
  })
})

/** Nothing is skipped under CI. */
function has(command: string, parameters: readonly string[]): boolean {
  if (spawnSync(command, parameters).status === 0) return true
  if (process.env.CI) throw new Error(`${command} is missing`)
  console.warn(`skipped: ${command} is missing`)
  return false
}
