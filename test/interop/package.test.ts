// What people install: the packed package in an empty folder, without this repository and what its tests bring.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const root = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)

/** Everything that the package may hold. */
const PACKED =
  /^(bin\/open-mcp-auth-proxy\.cjs|dist\/[\w./-]+\.(js|d\.ts)|dist\/command\/LICENSES\.txt|(docs|samples|deploy)\/[\w./-]+|[A-Z]+\.md|LICENSE|package\.json)$/

/** Compiles only if the declarations say so. */
const TYPED_PROGRAM = `import { ConfigError, loadConfig, loadConfigFile, startProxy, type Problem, type RunningProxy } from 'open-mcp-auth-proxy'
import { formatChallenge } from 'open-mcp-auth-proxy/challenge'
import { createPolicy, type Principal } from 'open-mcp-auth-proxy/policy'
import { createProtectedResourceMetadata } from 'open-mcp-auth-proxy/protected-resource-metadata'
import { createTokenVerifier } from 'open-mcp-auth-proxy/token-verifier'
export async function run(): Promise<RunningProxy> {
  const { plan, notices }: { plan: Parameters<typeof startProxy>[0]; notices: readonly string[] } = loadConfigFile('config.yaml')
  notices.map((notice) => notice.length)
  // @ts-expect-error a plan is no configuration file's name
  loadConfigFile(plan)
  // @ts-expect-error internals are not exported
  await import('open-mcp-auth-proxy/dist/app.js')
  // @ts-expect-error nor by the names of their folders
  await import('open-mcp-auth-proxy/oauth/challenge')
  loadConfig({ servers: [] }, { env: {}, directory: '/' })
  return startProxy(plan)
}
formatChallenge({ scopes: ['a'] }).toUpperCase()
// @ts-expect-error no error of RFC 6750
formatChallenge({ error: 'expired' })
// @ts-expect-error what the metadata is about
createProtectedResourceMetadata({ authorizationServers: [], name: 'x' })
// @ts-expect-error a token verifier needs audiences
createTokenVerifier({ issuers: [] })
// @ts-expect-error no key of an issuer
createTokenVerifier({ issuers: [{ issuer: 'x', audience: 'y' }], audiences: ['z'] })
// @ts-expect-error no key of a server's policy
createPolicy({ scope: ['x'] })
// @ts-expect-error operations, not the body
export const decide = (principal: Principal, body: string) => createPolicy({}).decide(principal, body)
export const explain = (error: ConfigError): Problem[] => [...error.problems]
`

/** An MCP server's side of authorization, from parts of the package. */
const SERVER_OF_ITS_OWN = `import { formatChallenge } from 'open-mcp-auth-proxy/challenge'
import { createPolicy, parseOperations } from 'open-mcp-auth-proxy/policy'
import { createProtectedResourceMetadata, formatMetadataUrl } from 'open-mcp-auth-proxy/protected-resource-metadata'
import { createTokenVerifier, findErrorEntry, ProxyError } from 'open-mcp-auth-proxy/token-verifier'

const [issuer, resource, token] = process.argv.slice(2)
const verifier = createTokenVerifier({ issuers: [issuer], audiences: [resource] })
const principal = await verifier.verify(token)
const refusal = await verifier.verify('no token').catch((error) => error)
await verifier.close()
const policy = createPolicy({ scopes: ['mcp:tools'], rules: [{ tool: 'delete_*', scopes: ['mcp:admin'] }] })
const decide = (name) => policy.decide(principal, parseOperations(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })))
console.log(JSON.stringify({
  challenge: formatChallenge({ resourceMetadata: formatMetadataUrl(resource), scopes: ['mcp:tools'] }),
  document: createProtectedResourceMetadata({ resource, authorizationServers: [issuer], name: 'Files' }),
  scopes: [...principal.scopes],
  refused: refusal instanceof ProxyError && [refusal.code, findErrorEntry(refusal.code).status],
  effects: [decide('echo').effect, decide('delete_all').effect],
}))
`

let folder: string
let clone: string
let files: string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-'))
  clone = await mkdtemp(join(tmpdir(), 'clone-'))
  await copyTracked(clone)
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', folder], { cwd: clone })
  files = readPackedFiles(stdout)
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  await execute('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`], { cwd: folder })
}, 300_000)

afterAll(() => Promise.all([folder, clone].map((place) => rm(place, { recursive: true }))))

/** What a fresh clone holds: nothing that was installed or built. */
async function copyTracked(target: string): Promise<void> {
  const { stdout } = await execute('git', ['ls-files', '-z'], { cwd: root, maxBuffer: 16 * 1024 * 1024 })
  const isThere = (name: string) => name !== '' && existsSync(join(root, name))
  await Promise.all(
    stdout
      .split('\0')
      .filter(isThere)
      .map((name) => cp(join(root, name), join(target, name))),
  )
}

/** What the build prints comes before the JSON, which is a list, or an object by package name, depending on npm's version. */
function readPackedFiles(output: string): string[] {
  const json = JSON.parse(output.slice(output.search(/^[[{]/m))) as Record<string, { files: { path: string }[] }>
  return Object.values(json).flatMap((packed) => packed.files.map(({ path }) => path))
}

/** Compiles programs as their authors would, against the packed declarations. */
async function compile(...programs: readonly string[]): Promise<void> {
  const names = programs.map((_, index) => `use-${index}.mts`)
  for (const [index, name] of names.entries()) await writeFile(join(folder, name), programs[index] ?? '')
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', 'node']
  const types = ['--typeRoots', join(root, 'node_modules/@types')]
  await execute(join(root, 'node_modules/.bin/tsc'), [...flags, ...types, ...names], { cwd: folder })
}

/** The environment of somebody with a Node that is new enough, and nothing of this repository. */
function createEnvironment(): NodeJS.ProcessEnv {
  const path = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
  return { PATH: path, HOME: folder }
}

function locate(command: string): string {
  return join(folder, 'node_modules', '.bin', command)
}

async function run(command: string, ...parameters: string[]) {
  const options = { cwd: folder, env: createEnvironment() }
  return execute(locate(command), parameters, options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  )
}

describe('the package', () => {
  it('holds what it needs, and no tests, maps or sources', () => {
    expect(files.filter((file) => !PACKED.test(file) || /\.test\.(?:d\.)?[jt]s$/.test(file))).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/index.js',
        'dist/index.d.ts',
        'bin/open-mcp-auth-proxy.cjs',
        'dist/cli/main.js',
        'dist/command/main.js',
        'dist/command/LICENSES.txt',
        'docs/config.schema.json',
        'package.json',
        'README.md',
        'CHANGELOG.md',
        'SECURITY.md',
        'LICENSE',
      ]),
    )
  })

  it('holds every document that its messages and its pages name', async () => {
    const named = new Set<string>()
    for (const file of files.filter((name) => /\.(?:js|md|yaml)$/.test(name))) {
      const text = await readFile(join(clone, file), 'utf8')
      for (const [path] of text.matchAll(/\b(?:docs|samples)\/[\w./-]+\.(?:md|yaml|mjs|cfg|conf|json)\b/g)) named.add(path)
      if (!file.endsWith('.md')) continue
      for (const [, link = ''] of text.matchAll(/\]\(([\w./-]+)(?:#[\w-]*)?\)/g)) named.add(join(dirname(file), link))
    }
    expect(named.size).toBeGreaterThan(40)
    const missing = [...named].filter(
      (path) => !files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`)),
    )
    // Sources and tests are in the repository alone.
    expect(missing.filter((path) => !/^(?:src|test|bench|demo|scripts|\.ci)\b/.test(path))).toEqual([])
  })

  it('runs from a fresh clone by `npx .`', { timeout: 120_000 }, async () => {
    const { stdout } = await execute('npx', ['--yes', '.', '--version'], { cwd: clone, env: { ...process.env, HOME: folder } })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/)
  })

  it.each(['open-mcp-auth-proxy', 'openmcpauthproxy'])('brings the command %s', async (command) => {
    const { code, stdout } = await run(command, '--help')
    expect(code).toBe(0)
    expect(stdout).toContain('--upstream')
  })

  it('knows its version', async () => {
    const { stdout } = await run('open-mcp-auth-proxy', '--version')
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('prints the schema that it holds', async () => {
    const { stdout } = await run('open-mcp-auth-proxy', 'schema')
    expect(JSON.parse(stdout)).toHaveProperty('properties.servers')
  })

  it('names every mistake of a configuration to the program that loads it', async () => {
    const script = `const { ConfigError, loadConfig } = await import('open-mcp-auth-proxy')
      try { loadConfig({ servers: [{ path: 'mcp', upstreem: 'http://localhost:1/mcp' }] }) }
      catch (error) { console.log(error instanceof ConfigError, error.problems.map(({ path }) => path).join()) }`
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
    expect(stdout).toMatch(/^true .*servers\[0\]\.path.*upstreem/)
  })

  it('has types for what it exports, and for nothing else', async () => {
    await compile(TYPED_PROGRAM)
  })

  it('compiles the examples of docs/api.md', async () => {
    const page = await readFile(join(root, 'docs/api.md'), 'utf8')
    const examples = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
    expect(examples).toHaveLength(5)
    await compile(...examples)
  })

  it('lets an MCP server of its user verify tokens and decide by itself', async () => {
    const issuer = await startIssuer()
    const resource = 'https://mcp.example.com/mcp'
    const token = await issuer.mint({ claims: { aud: resource, scope: 'mcp:tools' } })
    await writeFile(join(folder, 'alone.mjs'), SERVER_OF_ITS_OWN)
    const { stdout } = await execute(process.execPath, ['alone.mjs', issuer.issuer, resource, token], { cwd: folder })
    expect(JSON.parse(stdout)).toEqual({
      challenge: `Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="mcp:tools"`,
      document: {
        resource,
        authorization_servers: [issuer.issuer],
        bearer_methods_supported: ['header'],
        resource_name: 'Files',
      },
      scopes: ['mcp:tools'],
      refused: ['token_invalid', 401],
      effects: ['permit', 'deny'],
    })
    await issuer.close()
  })

  it('refuses a configuration with mistakes', async () => {
    await writeFile(join(folder, 'wrong.yaml'), 'servers:\n  - path: mcp\n    upstreem: http://localhost:1/mcp\n')
    const { code, stderr } = await run('open-mcp-auth-proxy', 'check', '--config', 'wrong.yaml')
    expect(code).toBe(2)
    expect(stderr).toContain('upstreem')
  })
})

describe('the installed proxy', () => {
  let issuer: TestIssuer
  let upstream: RecordingUpstream
  let child: ChildProcess
  let url: string
  let exited: Promise<number | null>

  beforeAll(async () => {
    issuer = await startIssuer()
    upstream = await startRecordingUpstream()
    await writeFile(
      join(folder, 'proxy.yaml'),
      `listen:
  port: 0
issuers:
  - ${issuer.issuer}
servers:
  - path: /mcp
    upstream: ${upstream.origin}/mcp
    scopes: [mcp:tools]
`,
    )
    child = spawn(locate('open-mcp-auth-proxy'), ['--config', 'proxy.yaml'], {
      cwd: folder,
      env: createEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    exited = new Promise((settle) => child.once('exit', settle))
    url = await waitForUrl(child)
  })
  afterAll(async () => {
    child?.kill('SIGKILL')
    await issuer?.close()
    await upstream?.close()
  })

  function call(token?: string, args = '{}'): Promise<Response> {
    return fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`,
    })
  }

  it('shows the table of its routes before it starts', async () => {
    const { code, stdout } = await run('open-mcp-auth-proxy', 'check', '--config', 'proxy.yaml')
    expect(code).toBe(0)
    expect(stdout).toContain('/mcp')
    expect(stdout).toContain(issuer.issuer)
  })

  it('refuses who has no token, and says where to get one', async () => {
    const response = await call()
    expect(response.status).toBe(401)
    const [, metadataUrl = ''] = /resource_metadata="([^"]+)"/.exec(response.headers.get('www-authenticate') ?? '') ?? []
    expect(await (await fetch(metadataUrl)).json()).toMatchObject({ authorization_servers: [issuer.issuer] })
    expect(upstream.requests).toHaveLength(0)
  })

  it('serves who has one', async () => {
    const port = new URL(url).port
    const token = await issuer.mint({ claims: { aud: `http://localhost:${port}/mcp` } })
    const response = await call(token)
    expect(response.status).toBe(200)
    expect(upstream.requests).toHaveLength(1)
    // Read in a thread, which has a file of its own.
    const long = await call(token, `{"text":"${'x'.repeat(100_000)}"}`)
    expect(long.status).toBe(200)
    expect(upstream.requests).toHaveLength(2)
  })

  it('runs inside a program of its user, and stops when told to', async () => {
    await copyFile(join(root, 'samples/embedded.mjs'), join(folder, 'embedded.mjs'))
    const text = await readFile(join(folder, 'proxy.yaml'), 'utf8')
    await writeFile(join(folder, 'embedded.yaml'), text.replace('port: 0', `port: ${await findFreePort()}`))
    const program = spawn(process.execPath, ['embedded.mjs', 'embedded.yaml'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = new Promise((settle) => program.once('exit', settle))
    const inside = new URL(await waitForUrl(program))
    expect((await fetch(`http://localhost:${inside.port}/mcp`, { method: 'POST' })).status).toBe(401)
    program.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  it('ends with 0 when it is asked to', async () => {
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })
})

/** The address that it tells when it listens. */
function waitForUrl(child: ChildProcess): Promise<string> {
  return new Promise((settle, reject) => {
    let output = ''
    createInterface(child.stderr as NodeJS.ReadableStream).on('line', (line) => {
      output += `${line}\n`
      const [, url] = /\blistening on (\S+)/.exec(line) ?? []
      if (url !== undefined) settle(url)
    })
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}:\n${output}`)))
  })
}
