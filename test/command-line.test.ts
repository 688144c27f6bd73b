import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { findFreePorts } from './support/free-port.ts'
import { waitUntil } from './support/processes.ts'
import { answerJson, startRecordingUpstream } from './support/recording-upstream.ts'
import { runCommand } from './support/run-command.ts'
import { startIssuer } from './support/tokens.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'cli-'))
const running = new Set<ChildProcess>()

/** With port 0, the proxy chooses one some time before it listens there, and a test beside may be faster. */
const ports = await findFreePorts(40)
const nextPort = (): string => String(ports.pop())

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Running {
  readonly child: ChildProcess
  readonly written: { output: string; error: string }
  readonly exit: Promise<number | null>
  /** Resolves with the groups of the first match in standard error. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
}

interface Environment {
  readonly env?: NodeJS.ProcessEnv
  /** File descriptor for standard output. */
  readonly stdout?: number
}

function start(argv: readonly string[], { env, stdout }: Environment = {}): Running {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
  })
  running.add(child)
  const written = { output: '', error: '' }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    written.output += chunk
  })
  const stderr = child.stderr as Readable
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    written.error += chunk
  })
  const exit = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  return {
    child,
    written,
    exit,
    async waitFor(pattern) {
      for (;;) {
        const match = pattern.exec(written.error)
        if (match) return match
        const ended = await Promise.race([once(stderr, 'data').then(() => false), exit.then(() => true)])
        if (ended && !pattern.test(written.error)) throw new Error(`ended without ${pattern}: ${written.error}`)
      }
    },
  }
}

async function run(argv: readonly string[], env?: NodeJS.ProcessEnv) {
  const { exit, written } = start(argv, env ? { env } : {})
  return { code: await exit, ...written }
}

/** For what a process of its own, which takes a second to start, would do no differently. */
function runHere(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const places = argv.map((argument) => (argument.endsWith('.yaml') ? resolve(directory, argument) : argument))
  return runCommand(places, { env, directory })
}

function write(name: string, content: string): string {
  writeFileSync(join(directory, name), content)
  return name
}

const issuer = 'https://idp.invalid'
const server = ['--upstream', 'http://127.0.0.1:1/mcp', '--issuer', issuer]

/** A configuration whose log is in this format. */
function writeWithLog(format: string): string {
  return writeServed(`log-${format}.yaml`, `log: { format: ${format} }`)
}

/** A configuration of one server, and what it says besides. */
function writeServed(name: string, more: string): string {
  const server = 'servers: [{ path: /mcp, upstream: "http://127.0.0.1:1/x" }]'
  return write(name, `listen: { port: ${nextPort()} }\nissuers: [${issuer}]\n${server}\n${more}\n`)
}

/** Posts a message on a connection of its own. */
async function post(url: string, token: string, body: string): Promise<{ status: number | undefined; text: string }> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const sent = request(url, { method: 'POST', agent: false, headers }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode, text: await text(response) }
}

/** A proxy with a request that waits for its MCP server. */
async function startBusy() {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const upstream = await startRecordingUpstream(async (request, response) => {
    await gate
    await answerJson({ jsonrpc: '2.0', id: 1, result: {} })(request, response)
  })
  const authorizationServer = await startIssuer({ audience: 'cli-test' })
  cleanups.push(
    () => upstream.close(),
    () => authorizationServer.close(),
  )
  const flags = [
    '--upstream',
    `${upstream.origin}/mcp`,
    '--issuer',
    authorizationServer.issuer,
    '--audience',
    'cli-test',
    '--path',
    '/mcp',
    '--port',
    nextPort(),
  ]
  const proxy = start(flags)
  const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
  const answered = post(`${url}/mcp`, await authorizationServer.mint(), '{"jsonrpc":"2.0","id":1,"method":"ping"}')
  answered.catch(() => undefined)
  await upstream.waitForRequest(0)
  return { proxy, url, answered, release }
}

const isUnreachable = (url: string): Promise<boolean> =>
  fetch(`${url}/healthz`).then(
    () => false,
    () => true,
  )

describe('open-mcp-auth-proxy', () => {
  it('shows help and version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    expect(await run(['--version'])).toEqual({ code: 0, output: `${version}\n`, error: '' })
    const help = await run(['--help'])
    expect(help).toMatchObject({ code: 0, error: '' })
    for (const code of [0, 1, 2]) expect(help.output.split('Exit codes:')[1]).toMatch(new RegExp(`^ +${code} `, 'm'))
    expect(help.output.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('says which Node it needs to users of an older one', async () => {
    const older = 'data:text/javascript,Object.defineProperty(process.versions,%22node%22,{value:%2220.20.2%22})'
    const { code, output, error } = await run(server, { NODE_OPTIONS: `--import=${older}` })
    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(error).toMatch(/^error This is Node\.js 20\.20\.2, and Node\.js [\d.]+ or later is needed\. .+\n$/)
  })

  it('prints the JSON Schema that is committed', async () => {
    const { code, output } = await run(['schema'])
    expect(code).toBe(0)
    expect(output).toBe(readFileSync(new URL('../docs/config.schema.json', import.meta.url), 'utf8'))
  })

  it('prints the catalogue of errors', async () => {
    const { code, output } = await runHere(['errors'])
    expect(code).toBe(0)
    expect(output).toMatch(/^token_expired +401 +invalid_token +-31401 /m)
    expect(output).toMatch(/^header_mismatch +400 +-32020 /m)
  })

  it('ends quietly when the reader of its output has read enough', async () => {
    const { child, exit, written } = start(['schema'])
    child.stdout?.destroy()
    expect(await exit).toBe(0)
    expect(written.error).toBe('')
  })

  it('exits with 2 for flags that it does not know, without colours', async () => {
    const { code, output, error } = await run(['--nonsense'], { FORCE_COLOR: '1', NO_COLOR: undefined })
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(/^error .+\n$/)
    expect(error).not.toContain('\u001b')
  })

  it.each([[['--demo', '--debug']], [[]]])('exits with 2 for %j', async (argv) => {
    const { code, output, error } = await runHere(argv)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(/^error .+\n$/)
  })
})

describe('check', () => {
  it('prints the table of routes and the notices', async () => {
    const file = write(
      'routes.yaml',
      `issuers: [${issuer}]\nservers: [{ path: /mcp, upstream: "http://127.0.0.1:1/x?key=hunter2", scopes: [a], forward_access_token: true, rules: [{ tool: t, scopes: [b] }] }]\n`,
    )
    const { code, output, error } = await run(['check', '--config', file])
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toMatch(
      /^\/mcp +mcp +Streamable HTTP +http:\/\/127\.0\.0\.1:1\/x +https:\/\/idp\.invalid +http:\/\/localhost:8080\/mcp +a$/m,
    )
    expect(output).toMatch(/^mcp +tool t +b$/m)
    expect(output).toMatch(/^notice .*forward_access_token/m)
    expect(output).not.toContain('hunter2')
    expect(output).not.toContain('\u001b')
  })

  it('prints who may use what, and what rules need, as tables of 80 columns', async () => {
    const file = write(
      'policy.yaml',
      `issuers: [${issuer}]
servers:
  - path: /mcp
    upstream: http://127.0.0.1:1/x
    access:
      - { groups: [support, admins], claim: tenant, values: [eu], tools: [search_*, refund], methods: [tasks/*] }
      - { who: "principal.client_id == 'nightly' && 'robot' in principal.scopes && principal.subject != 'root'", prompts: ["*"] }
      - { everyone: true, resources: ["docs://**"] }
    rules:
      - { tool: refund, scopes: [refunds], require: "args.amount <= 100 || 'finance' in principal.groups", reason: No., mode: shadow }
      - { tool: "delete_*", deny: true, on_deny: hide }
`,
    )
    const { code, output } = await runHere(['check', '--config', file])
    expect(code).toBe(0)
    expect(output).toMatch(/^SERVER +WHO +WHAT$/m)
    expect(output).toMatch(/^mcp +groups support, admins +tools search_\*, refund\n +claim tenant: eu +methods tasks\/\*$/m)
    expect(output).toMatch(/^mcp +principal\.client_id == 'nightly' +prompts \*\n +&& 'robot' in/m)
    expect(output).toMatch(/^mcp +everyone +resources docs:\/\/\*\*$/m)
    expect(output).toMatch(/^SERVER +OPERATION +NEEDS$/m)
    expect(output).toMatch(
      /^mcp +tool refund +refunds\n +require args\.amount <= 100 \|\|\n +'finance' in principal\.groups\n +shadow: not enforced$/m,
    )
    expect(output).toMatch(/^mcp +tool delete_\* +denied\n +hidden from those who may not$/m)
    const lines = output.slice(output.indexOf('SERVER  WHO')).split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
  })

  it('breaks what it says of the identity provider, and its notices, at 80 columns and indents the rest', async () => {
    const file = write(
      'broker.yaml',
      `public_url: https://mcp.example.com\nidentity_provider: { kind: google, client_id: x, client_secret: { env: SECRET } }\nbroker: { store: { kind: memory } }\nservers: [{ path: /mcp, upstream: "http://127.0.0.1:1/mcp" }]\n`,
    )
    const { code, output } = await runHere(['check', '--config', file], { SECRET: 'hunter2' })
    expect(code).toBe(0)
    const lines = output.slice(output.indexOf('Users sign in with')).trimEnd().split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    expect(output).toMatch(/^Users sign in with Google.*\n {4}\S/m)
    expect(output).toMatch(/^ {2}Users for whom Google.*\n {4}\S/m)
    expect(output).toMatch(/^notice identity_provider\.allow: .*\n {7}\S/m)
  })

  it('exits with 2 and names every mistake with its line, never a secret', async () => {
    const file = write(
      'wrong.yaml',
      'issuers: [http://idp.example.com]\nsession_key: hunter2\nservers:\n  - path: /mcp/\n    upstreem: x\n',
    )
    const { code, output, error } = await run(['check', '--config', file])
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(/^wrong\.yaml has 4 mistakes:$/m)
    expect(error).toMatch(/^servers\[0\]\.path \(line 4, column 5\)\n .+\n {2}Fix: Write "\/mcp"\.$/m)
    expect(error).not.toContain('hunter2')
    expect(error).not.toContain('\u001b')
  })

  it('accepts a file of the Go proxy', async () => {
    const file = new URL('fixtures/go-proxy/shipped-v1.2.yaml', import.meta.url).pathname
    const { code, output } = await runHere(['check', '--config', file])
    expect(code).toBe(0)
    expect(output).toMatch(/^notice timeout_seconds: /m)
    expect(output).not.toContain('sandbox-secret')
  })

  it('exits with 2 when there is no such file', async () => {
    expect(await runHere(['check', '--config', 'missing.yaml'])).toMatchObject({
      code: 2,
      error: expect.stringMatching(/no such file/),
    })
  })
})

describe('flags and environment beside a file', () => {
  const file = () => writeServed('beside.yaml', 'log: { format: pretty }')

  it('are shown by check, without their values', async () => {
    const env = { OMAP_LISTEN__PORT: '7001', OMAP_LISTEN__HOST: '127.0.0.2', OMAP_SESSION_KEY: 'hunter2'.repeat(8) }
    const { code, output, error } = await runHere(['check', file(), '--port', '7002'], env)
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toContain('Listens on 127.0.0.2, port 7002.')
    expect(output).toContain('listen.host is what OMAP_LISTEN__HOST says.\n')
    expect(output).toContain('listen.port is what --port says.\n')
    expect(output).toMatch(/^notice OMAP_LISTEN__PORT is not used: the command line says\s+listen\.port\.$/m)
    expect(output).not.toContain('hunter2')
  })

  it('count where the proxy listens', async () => {
    const proxy = start(['--config', file(), '--port', '0', '--log-format', 'json'], { env: { OMAP_LISTEN__HOST: '127.0.0.2' } })
    const [, origin = ''] = await proxy.waitFor(/listening on (http:\/\/127\.0\.0\.2:\d+)/)
    expect((await fetch(`${origin}/healthz`)).status).toBe(200)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
  })

  it('with mistakes end the start with 2, each under its own name and no value told', async () => {
    const env = { OMAP_LISTEN_PORT: 'hunter2', OMAP_TRUSTED_PROXY: 'hunter2' }
    const { code, output, error } = await runHere(['--config', file()], env)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toContain('Did you mean OMAP_LISTEN__PORT?')
    expect(error).toContain('Did you mean OMAP_TRUSTED_PROXIES?')
    expect(error).not.toContain('hunter2')
  })

  it('may check a file whose secrets are elsewhere', async () => {
    const name = writeServed('elsewhere.yaml', 'session_key: { env: NO_SUCH_VARIABLE }')
    expect(await runHere(['check', name])).toMatchObject({ code: 2 })
    expect(await runHere(['check', '--no-secrets', name])).toMatchObject({ code: 0, error: '' })
    expect(await runHere(['serve', '--no-secrets', name])).toMatchObject({
      code: 2,
      error: expect.stringContaining('for the commands check, rules and explain'),
    })
  })
})

describe('migrate', () => {
  it('prints a file that check accepts', async () => {
    const old = new URL('fixtures/go-proxy/top-level.yaml', import.meta.url).pathname
    const { code, output } = await runHere(['migrate', old])
    expect(code).toBe(0)
    expect(await runHere(['check', '--config', write('migrated.yaml', output)])).toMatchObject({ code: 0 })
  })

  it('exits with 2 for what this version cannot serve', async () => {
    const old = new URL('fixtures/go-proxy/stdio.yaml', import.meta.url).pathname
    const { code, output, error } = await runHere(['migrate', old])
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(/is used with `--demo` only/)
    expect(error).not.toContain('process-secret')
  })
})

describe('serve', () => {
  it('says how long users go on without a word of their identity provider', async () => {
    const file = join(directory, 'broker.yaml')
    const provider =
      'identity_provider: { issuer: http://localhost:1, client_id: a, client_secret: { env: SECRET }, unrefreshed_seconds: 600 }'
    const rest = 'broker: { store: { kind: memory } }\nservers: [{ path: /mcp, upstream: http://127.0.0.1:1/mcp }]'
    writeFileSync(file, `${provider}\n${rest}\nlisten: { port: ${nextPort()} }\n`)
    const proxy = start(['serve', file], { env: { SECRET: 'secret' } })
    await proxy.waitFor(/\n {2}Users for whom .+ 600\n {4}s after its last .+\(identity_provider\.unrefreshed_seconds\)\.\n/)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
  })

  it('says where it listens and what to tell clients, and exits with 0 after SIGTERM', async () => {
    const proxy = start([...server, '--port', '0'])
    const [, url] = await proxy.waitFor(/is listening on (http:\/\/127\.0\.0\.1:\d+)\n/)
    const port = new URL(url ?? '').port
    await proxy.waitFor(new RegExp(`for clients +http://localhost:${port}/mcp\n`))
    await proxy.waitFor(new RegExp(`metadata +http://localhost:${port}/\\.well-known/oauth-protected-resource/mcp\n`))
    const response = await fetch(`http://localhost:${port}/.well-known/oauth-protected-resource/mcp`)
    expect(await response.json()).toMatchObject({ resource: `http://localhost:${port}/mcp`, authorization_servers: [issuer] })
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(proxy.written.error).not.toContain('\u001b')
    for (const line of proxy.written.output.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('lets running requests finish after SIGTERM, takes no new ones, and exits with 0', async () => {
    const { proxy, url, answered, release } = await startBusy()
    proxy.child.kill('SIGTERM')
    await proxy.waitFor(/Stopping/)
    // Connections that the kernel has taken already are served (acceptWaiting).
    await waitUntil(() => isUnreachable(url), 'new connections are refused')
    release()
    const { status, text: body } = await answered
    expect({ status, body: JSON.parse(body) }).toMatchObject({ status: 200, body: { id: 1, result: {} } })
    expect(await proxy.exit).toBe(0)
  })

  it.runIf(existsSync('/dev/full'))('serves on when there is no room for its log, and says so once', async () => {
    const proxy = start([...server, '--port', nextPort()], { stdout: openSync('/dev/full', 'w') })
    const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
    const refused = () => post(`${url}/mcp`, 'x', '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    expect((await refused()).status).toBe(401)
    await proxy.waitFor(/The log cannot be written: ENOSPC/)
    expect((await refused()).status).toBe(401)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(proxy.written.error.match(/ENOSPC/g)).toHaveLength(1)
  })

  it.runIf(existsSync('/dev/full'))('serves on when there is no room for its pretty log, and tells so in the end', async () => {
    const proxy = start(['--config', writeWithLog('pretty')], { stdout: openSync('/dev/full', 'w') })
    const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
    for (let i = 0; i < 3; i++)
      expect((await post(`${url}/mcp`, 'x', '{"jsonrpc":"2.0","id":1,"method":"ping"}')).status).toBe(401)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(1)
    expect(proxy.written.error.match(/Standard output cannot be written: ENOSPC/g)).toHaveLength(1)
  })

  it.runIf(existsSync('/dev/full'))('exits with 1 where there is no room for its result', async () => {
    const { exit, written } = start(['schema'], { stdout: openSync('/dev/full', 'w') })
    expect(await exit).toBe(1)
    expect(written.error).toMatch(/^Standard output cannot be written: ENOSPC.*\n$/)
  })

  it.each([
    ['json', 'its log'],
    ['pretty', 'its log'],
    ['json', 'anything it says'],
    ['pretty', 'anything it says'],
  ])('keeps serving when its output (%s, %s) is no longer read', async (format, what) => {
    const proxy = start(['--config', writeWithLog(format)])
    const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
    proxy.child.stdout?.destroy()
    if (what !== 'its log') proxy.child.stderr?.destroy()
    const refused = () => post(`${url}/mcp`, 'x', '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    for (let i = 0; i < 3; i++) expect((await refused()).status).toBe(401)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
  })

  it.each(['json', 'pretty'])('writes nothing to its log that a terminal obeys: %s', async (format) => {
    const proxy = start(['--config', writeWithLog(format)])
    const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
    // Control sequence introducer, next line: what a header can hold and JSON leaves as it is.
    const answered = request(`${url}/mcp`, { agent: false, headers: { origin: 'http://x\u009b31m\u0085' } }).end()
    expect(((await once(answered, 'response')) as [IncomingMessage])[0].statusCode).toBe(403)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(proxy.written.output).toContain('origin_denied')
    expect(proxy.written.output).not.toMatch(/[\u0080-\u009f]/)
  })

  it('falls out of the load balancer after SIGTERM, and serves until shutdown.delay_seconds are over or a second signal comes', async () => {
    const proxy = start(['--config', writeServed('delay.yaml', 'shutdown: { delay_seconds: 3600 }')])
    const [, url = ''] = await proxy.waitFor(/is listening on (\S+)\n/)
    proxy.child.kill('SIGTERM')
    await proxy.waitFor(/Stopping in 3600 s\./)
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await post(`${url}/mcp`, 'x', '{"jsonrpc":"2.0","id":1,"method":"ping"}')).status).toBe(401)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(1)
  })

  it('exits with 0 when shutdown.delay_seconds are over', async () => {
    const proxy = start(['--config', writeServed('delay.yaml', 'shutdown: { delay_seconds: 0.1 }')])
    await proxy.waitFor(/is listening on/)
    proxy.child.kill('SIGTERM')
    await proxy.waitFor(/Stopping in 0\.1 s\./)
    expect(await proxy.exit).toBe(0)
  })

  it('reads its configuration anew at SIGHUP, as often as it comes, and running requests go on', async () => {
    const { proxy, answered, release } = await startBusy()
    for (let i = 1; i <= 2; i++) {
      proxy.child.kill('SIGHUP')
      await proxy.waitFor(new RegExp(`(?:Reloaded: nothing has changed.*\n[^]*){${i}}`))
    }
    release()
    expect((await answered).status).toBe(200)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
  })

  it('loads only what the configuration needs, so that it starts quickly', async () => {
    const hook = new URL('fixtures/loaded-packages.mjs', import.meta.url).href
    const proxy = start(['--config', writeWithLog('json')], { env: { NODE_OPTIONS: `--import=${hook}` } })
    await proxy.waitFor(/is listening on/)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    const [, loaded = ''] = /^loaded: (.*)$/m.exec(proxy.written.error) ?? []
    expect(loaded.split(' ')).toEqual(expect.arrayContaining(['pino', 'undici', 'yaml', 'zod']))
    for (const name of ['pino-pretty', 'redis', '@redis/client', 'oidc-provider', 'koa', 'oauth4webapi'])
      expect(loaded.split(' ')).not.toContain(name)
    expect(loaded).not.toContain('@opentelemetry')
  })

  it('opens no inspector at SIGUSR1', async () => {
    const { proxy, answered, release } = await startBusy()
    proxy.child.kill('SIGUSR1')
    // Signals arrive one by one: this one is answered after the other.
    proxy.child.kill('SIGHUP')
    await proxy.waitFor(/nothing has changed/)
    release()
    expect((await answered).status).toBe(200)
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(proxy.written.error).not.toContain('Debugger')
  })

  it('stops at once, with 1, at a second signal', async () => {
    const { proxy, answered } = await startBusy()
    proxy.child.kill('SIGTERM')
    await proxy.waitFor(/Stopping/)
    proxy.child.kill('SIGINT')
    expect(await proxy.exit).toBe(1)
    await expect(answered).rejects.toThrow()
  })

  it.each([
    ['refuse', 1],
    ['drop', 0],
  ])('ends, where the audit log cannot be written and `audit.fail` is %s, with %i', async (fail, expected) => {
    const folder = join(directory, `audit-${fail}`)
    mkdirSync(folder)
    const file = writeServed(`audit-${fail}.yaml`, `audit: { file: ${folder}/audit.jsonl, fail: ${fail} }`)
    const proxy = start(['--config', file])
    await proxy.waitFor(/is listening on/)
    rmSync(folder, { recursive: true })
    await waitUntil(() => proxy.written.output.includes('The audit log cannot be written'), 'an outage')
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(expected)
    expect(proxy.written.output).toMatch(/The process ends while the audit log cannot be written. Records lost: \d/)
    expect(proxy.written.error.includes('The audit log is incomplete')).toBe(expected === 1)
  })

  it('exits with 1 when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, error } = await run([...server, '--port', String(port)])
    other.close()
    expect(code).toBe(1)
    expect(error).toMatch(new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is in use`))
  })

  it('exits with 1 when the file of the store cannot be used, and names its key', async () => {
    const inFile = join(write('no-folder', 'x'), 'store.db')
    const file = write(
      'store.yaml',
      `issuers: [${issuer}]\nstore: { kind: sqlite, path: ${inFile} }\nservers: [{ path: /mcp, upstream: "http://127.0.0.1:1/mcp" }]\n`,
    )
    const { code, error } = await run(['--config', file, '--port', '0'])
    expect(code).toBe(1)
    expect(error).toMatch(/store\.path: the file ".*no-folder\/store\.db" cannot be used: /)
    expect(error).not.toContain('listen')
  })

  it('exits with 2 before it listens when a secret is missing', async () => {
    const file = write(
      'secret.yaml',
      `issuers: [${issuer}]\nsession_key: { env: NO_SUCH_VARIABLE }\nservers: [{ path: /mcp, upstream: "http://127.0.0.1:1/mcp" }]\n`,
    )
    expect(await runHere(['--config', file])).toMatchObject({
      code: 2,
      output: '',
      error: expect.stringMatching(/NO_SUCH_VARIABLE/),
    })
  })

  it('reads config.yaml of the working directory, tells the notices, and never a secret', async () => {
    const key = 'hunter2'.repeat(8)
    write(
      'config.yaml',
      `listen: { port: ${nextPort()} }\nissuers: [${issuer}]\nsession_key: { env: KEY }\nservers: [{ path: /here, upstream: "http://127.0.0.1:1/mcp", forward_access_token: true }]\n`,
    )
    const proxy = start(['--debug'], { env: { KEY: key } })
    await proxy.waitFor(/notice server here: forward_access_token.*\n {7}\S/)
    const notices = proxy.written.error.slice(proxy.written.error.indexOf('notice '))
    expect(notices.split('\n').filter((line) => line.length > 80)).toEqual([])
    proxy.child.kill('SIGTERM')
    expect(await proxy.exit).toBe(0)
    expect(JSON.stringify(proxy.written)).not.toContain(key)
    rmSync(join(directory, 'config.yaml'))
  })
})
