import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startMcpServer } from '../demo/mcp-server.ts'
import { createOAuthClient } from '../demo/oauth-client.ts'
import { startProxy } from '../src/app.ts'
import { loadConfigFile } from '../src/config/load.ts'
import { startAuthorizationServer } from '../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from './support/broker-stage.ts'
import { findFreePort } from './support/free-port.ts'
import { connectSdkClient } from './support/sdk-clients.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'init-'))
const KEY = Buffer.alloc(32, 'key of tests').toString('base64')
const cleanups: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => rmSync(folder, { recursive: true }))

function start(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [main, ...argv], { cwd: folder, env: { ...process.env, ...env } })
  const written = { output: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (written.output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (written.error += chunk))
  child.stdin.on('error', () => undefined)
  const exit = once(child, 'close').then(([code]) => code as number | null)
  cleanups.push(() => void child.kill('SIGKILL'))
  return { child, written, exit }
}

async function run(argv: readonly string[], input = '') {
  const { child, written, exit } = start(argv)
  child.stdin.end(input)
  return { code: await exit, ...written }
}

async function check(file: string, env: NodeJS.ProcessEnv) {
  const { written, exit } = start(['check', file], env)
  return { code: await exit, written }
}

let files = 0
const nameFile = () => `config-${++files}.yaml`
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

function end(child: ReturnType<typeof spawn>, exit: Promise<number | null>) {
  child.kill('SIGTERM')
  return exit
}

/** Starts a proxy from a file. */
async function serve(file: string, env: NodeJS.ProcessEnv) {
  const { child, written, exit } = start(['--config', file], env)
  for (;;) {
    const url = /is listening on (\S+)/.exec(written.error)?.[1]
    if (url !== undefined) return { stop: () => end(child, exit) }
    const ended = await Promise.race([once(child.stderr, 'data').then(() => false), exit.then(() => true)])
    if (ended) throw new Error(written.error)
  }
}

const kinds: readonly [kind: string, place: string, expected: Record<string, unknown>, issuer: string][] = [
  ['google', 'example.com', { domain: 'example.com' }, 'https://accounts.google.com'],
  ['github', 'example', { organization: 'example' }, 'https://github.com/login/oauth'],
  [
    'entra',
    '11111111-2222-3333-4444-555555555555',
    { tenant: '11111111-2222-3333-4444-555555555555' },
    'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0',
  ],
  ['okta', 'example.okta.com', { domain: 'example.okta.com' }, 'https://example.okta.com'],
  ['auth0', 'example.eu.auth0.com', { domain: 'example.eu.auth0.com' }, 'https://example.eu.auth0.com/'],
  [
    'keycloak',
    'https://sso.example.com/realms/main',
    { base_url: 'https://sso.example.com', realm: 'main' },
    'https://sso.example.com/realms/main',
  ],
  [
    'cognito',
    'eu-west-1_AbCdEf123',
    { user_pool: 'eu-west-1_AbCdEf123' },
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123',
  ],
  ['asgardeo', 'example', { organization: 'example' }, 'https://api.asgardeo.io/t/example/oauth2/token'],
  ['oidc', 'https://idp.example.com/', { issuer: 'https://idp.example.com/' }, 'https://idp.example.com/'],
  [
    'oauth',
    'https://a.example.com/authorize https://a.example.com/token https://a.example.com/me',
    {
      oauth: {
        authorization_endpoint: 'https://a.example.com/authorize',
        token_endpoint: 'https://a.example.com/token',
        userinfo_endpoint: 'https://a.example.com/me',
      },
    },
    'https://a.example.com',
  ],
]

describe('what init writes', { timeout: 60_000 }, () => {
  it.each(kinds)('for %s loads, starts, and names no secret', async (kind, place, expected, issuer) => {
    const file = nameFile()
    const port = await findFreePort()
    const origin = `http://localhost:${port}`
    const flags = [
      '--upstream',
      'http://127.0.0.1:1/mcp',
      '--provider',
      kind,
      '--issuer',
      place,
      '--public-url',
      origin,
      '--scope',
      'mcp:tools',
    ]
    const isNarrowed = kind === 'google' || kind === 'github'
    const { code, output, error } = await run(['init', file, ...flags, ...(isNarrowed ? [] : ['--allow', 'everybody'])])
    expect(code, error).toBe(0)
    // These providers are on the internet, or nowhere.
    expect(error).toMatch(/^(?:$|warning: issuer\s)/)
    expect(output).toContain(`${origin}/oauth/callback`)
    expect(output).toContain(`export ${kind.toUpperCase()}_CLIENT_SECRET=`)
    expect(output).toContain(`open-mcp-auth-proxy --config ${file}`)

    expect(read(file)).toMatch(/^# yaml-language-server: \$schema=https:\/\/\S+\/docs\/config\.schema\.json\n/)
    const config = parse(read(file))
    expect(config.identity_provider).toEqual({
      kind,
      ...expected,
      client_id: 'REPLACE-WITH-THE-CLIENT-ID',
      client_secret: { env: `${kind.toUpperCase()}_CLIENT_SECRET` },
    })
    expect(config.encryption_keys).toEqual([{ env: 'BROKER_KEY' }])
    expect(config.servers).toEqual([{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp', scopes: ['mcp:tools'] }])

    const env = { BROKER_KEY: KEY, [`${kind.toUpperCase()}_CLIENT_SECRET`]: 's' }
    const { plan } = loadConfigFile(join(folder, file), { env, terminal: false, mayHavePlaceholders: true })
    expect(plan.broker?.identityProvider.issuer).toBe(issuer)
    const proxy = await startProxy(plan)
    cleanups.push(() => proxy.close())
    const metadata = (await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json()) as { issuer: string }
    expect(metadata.issuer).toBe(origin)
    expect((await fetch(`${origin}/mcp`, { method: 'POST' })).status).toBe(401)
  })

  it('for an authorization server that clients use themselves has no broker', async () => {
    const file = nameFile()
    const lines = [
      'http://localhost:9000/api/mcp/',
      'issuer',
      'https://idp.example.com/realms/x',
      'https://mcp.example.com',
      'mcp:tools, mcp:read',
    ]
    const { code, output } = await run(['init', file], `${lines.join('\n')}\n`)
    expect(code).toBe(0)
    expect(output).toMatch(/Have it issue access tokens for https:\/\/mcp\.example\.com\/api\/mcp \(their\s+`aud`\)/)
    expect(parse(read(file))).toEqual({
      public_url: 'https://mcp.example.com',
      listen: { host: '0.0.0.0', port: 8080 },
      issuers: ['https://idp.example.com/realms/x'],
      servers: [{ path: '/api/mcp', upstream: 'http://localhost:9000/api/mcp/', scopes: ['mcp:tools', 'mcp:read'] }],
    })
  })

  it('signs a real user in at a real provider, and lets in only whom the fifth answer names', async () => {
    const [identityProvider, mcpServer, port] = await Promise.all([
      startAuthorizationServer({ clients: [BROKER_CLIENT] }),
      startMcpServer(),
      findFreePort(),
    ])
    cleanups.push(
      () => identityProvider.close(),
      () => mcpServer.close(),
    )
    const origin = `http://localhost:${port}`
    const flags = [
      '--upstream',
      mcpServer.streamableHttpUrl,
      '--provider',
      'oidc',
      '--issuer',
      identityProvider.issuer,
      '--public-url',
      origin,
      '--client-id',
      BROKER_CLIENT_ID,
    ]
    const env = { BROKER_KEY: KEY, OIDC_CLIENT_SECRET: BROKER_CLIENT_SECRET }
    const [alice] = SAMPLE_USERS
    const connect = () =>
      connectSdkClient({
        generation: 'v2 legacy',
        transport: 'streamable',
        url: `${origin}/mcp`,
        oauth: createOAuthClient({ name: 'Client of init', redirectUri: 'http://127.0.0.1:1/callback' }),
        user: alice,
      })

    const welcoming = nameFile()
    expect((await run(['init', welcoming, ...flags, '--allow', `sub=${alice.name}`])).code).toBe(0)
    const proxy = await serve(welcoming, env)
    const doctor = start(['doctor', welcoming], env)
    expect(await doctor.exit, doctor.written.output).toBe(0)
    const client = await connect()
    expect(await client.listTools()).toContain('echo')
    await client.close()
    await proxy.stop()

    const refusing = nameFile()
    expect((await run(['init', refusing, ...flags, '--allow', '@somewhere-else.example'])).code).toBe(0)
    const other = await serve(refusing, env)
    await expect(connect()).rejects.toThrow()
    await other.stop()
  }, 60_000)

  it.each(['oidc', 'issuer'])('warns of an issuer of %s that is dead or misspelt, and is written all the same', async (kind) => {
    const identityProvider = await startAuthorizationServer({ clients: [BROKER_CLIENT] })
    cleanups.push(() => identityProvider.close())
    const ask = async (issuer: string) => {
      const file = nameFile()
      const who = kind === 'oidc' ? ['--allow', 'everybody'] : []
      const rest = ['--upstream', 'http://127.0.0.1:1/mcp', '--public-url', 'http://localhost:8080', '--scope', 'a', ...who]
      const { code, error } = await run(['init', file, '--provider', kind, '--issuer', issuer, ...rest])
      expect({ code, written: existsSync(join(folder, file)) }).toEqual({ code: 0, written: true })
      return error.replaceAll(/\s+/g, ' ')
    }
    expect(await ask(identityProvider.issuer)).toBe('')
    expect(await ask('http://127.0.0.1:1')).toMatch(/^warning: issuer http:\/\/127\.0\.0\.1:1: .*that the program is running/)
    expect(await ask(`${identityProvider.issuer}/`)).toMatch(/^warning: issuer .* names the issuer .*final slash/)
    expect(await ask(`${identityProvider.issuer}/realms/typo`)).toMatch(/^warning: issuer .*Check the issuer/)
  })

  it('starts a command with its words as they were, and puts an event stream under sse', async () => {
    const [command, words, stream] = [nameFile(), nameFile(), nameFile()]
    const rest = ['--provider', 'google', '--issuer', 'example.com', '--public-url', 'http://localhost:8080', '--scope', 'a']
    await run(['init', command, ...rest], 'npx -y "my server" --flag="a b"\n')
    await run(['init', words, ...rest, '--', 'npx', '-y', 'my server', '--flag=a b'])
    expect(parse(read(command)).servers[0]).toMatchObject({
      path: '/mcp',
      upstream: { command: ['npx', '-y', 'my server', '--flag=a b'] },
    })
    expect(parse(read(words))).toEqual(parse(read(command)))
    await run(['init', stream, ...rest, '--upstream', 'http://localhost:8000/sse'])
    expect(parse(read(stream)).servers).toEqual([{ sse: { path: '/sse', upstream: 'http://localhost:8000/sse' }, scopes: ['a'] }])
  })

  it('asks who may sign in and which scopes apart', async () => {
    const file = nameFile()
    const lines = [
      'http://localhost:8000/mcp',
      '9',
      'https://idp.example.com',
      '',
      'bob@example.com, example.org groups=mcp-users',
      'mcp:tools',
    ]
    expect(await run(['init', file], `${lines.join('\n')}\n`)).toMatchObject({ code: 0 })
    const { identity_provider: provider, servers, public_url: url } = parse(read(file))
    expect(url).toBe('http://localhost:8080')
    expect(provider.allow).toEqual([
      { claim: 'email', values: ['bob@example.com'] },
      { claim: 'email_domain', values: ['example.org'] },
      { claim: 'groups', values: ['mcp-users'] },
    ])
    expect(servers[0].scopes).toEqual(['mcp:tools'])
  })

  it('opens no server to the public unless it is told to', async () => {
    const flags = ['--upstream', 'http://localhost:8000/mcp', '--provider', 'google', '--public-url', 'http://localhost:8080']
    const known = ['--client-id', '123.apps.googleusercontent.com']
    const [silent, closed, open] = [nameFile(), nameFile(), nameFile()]
    const { code, error } = await run(['init', silent, ...flags, '--scope', 'a'], '\n')
    expect({ code, there: existsSync(join(folder, silent)) }).toEqual({ code: 2, there: false })
    expect(error).toMatch(/Who may sign in\?.+Give it with --allow/s)

    expect(await run(['init', closed, ...flags], '\nbob@example.com\n\n')).toMatchObject({ code: 0 })
    expect(parse(read(closed)).identity_provider.allow).toEqual([{ claim: 'email', values: ['bob@example.com'] }])
    expect(parse(read(closed)).servers[0].scopes).toBeUndefined()

    expect(await run(['init', open, ...flags, ...known, '--allow', 'everybody'], '\n\n')).toMatchObject({ code: 0 })
    const { code: checked, written } = await check(open, { BROKER_KEY: KEY, GOOGLE_CLIENT_SECRET: 's' })
    expect(checked).toBe(0)
    expect(written.output).toMatch(
      /notice identity_provider\.allow: missing, so\s+everybody\s+with\s+a\s+Google\s+account\s+may\s+sign\s+in/,
    )
  })
})

describe('init --add', { timeout: 60_000 }, () => {
  it('puts a second server into a file that is there, under a path of its own, and keeps the rest', async () => {
    const file = nameFile()
    const before =
      '# mine\nissuers: [https://idp.example.com]\nservers:\n  - path: /mcp # first\n    upstream: http://localhost:8000/mcp\n'
    writeFileSync(join(folder, file), before)
    const { code, output, error } = await run(['init', file, '--add', '--scope', 'a', '--upstream', 'http://localhost:9000/mcp'])
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toMatch(/Give clients the public URL followed by \/mcp-2\. .+`reload`/)
    expect(read(file)).toBe(`${before}  - path: /mcp-2\n    upstream: http://localhost:9000/mcp\n    scopes:\n      - a\n`)
    expect((await check(file, {})).code).toBe(0)
  })

  it('says which URL clients get for the new server, where the file has the public one', async () => {
    const file = nameFile()
    const before =
      'public_url: https://mcp.example.com\nissuers: [https://idp.example.com]\nservers:\n  - path: /mcp\n    upstream: http://localhost:8000/mcp\n'
    writeFileSync(join(folder, file), before)
    const { output } = await run(['init', file, '--add', '--scope', 'a', '--upstream', 'http://localhost:9000/mcp'])
    expect(output).toMatch(/^Give clients https:\/\/mcp\.example\.com\/mcp-2\. /m)
  })

  it('adds to what init wrote, though its secrets are not set yet', async () => {
    const file = nameFile()
    const flags = ['--provider', 'google', '--issuer', 'example.com', '--public-url', 'http://localhost:8080', '--scope', 'a']
    await run(['init', file, '--upstream', 'http://localhost:8000/mcp', ...flags])
    expect(await run(['init', file, '--add'], 'npx -y other\n\n')).toMatchObject({ code: 0 })
    expect(parse(read(file)).servers[1]).toEqual({ path: '/mcp-2', upstream: { command: ['npx', '-y', 'other'] } })
  })

  it.each([
    [
      'servers: [{ path: /mcp, upstream: http://localhost:8000/mcp }]\nissuers: [https://idp.example.com]\n',
      ['--upstream', 'http://127.0.0.1:8080/mcp'],
      /this proxy itself/,
    ],
    ['base_url: http://localhost:8000\nproxy_listen_port: 8080\n', ['--upstream', 'http://localhost:8000/x'], /migrate/],
    ['a: [', ['--upstream', 'http://localhost:8000/x'], /has a mistake/],
    [undefined, ['--upstream', 'http://localhost:8000/x'], /no such file/],
    ['servers: []', ['--provider', 'google'], /--provider is for a new file/],
  ])('changes nothing where that cannot be: %j %j', async (text, flags, said) => {
    const file = nameFile()
    if (text !== undefined) writeFileSync(join(folder, file), text)
    const { code, error } = await run(['init', file, '--add', ...flags], '\n\n')
    expect(code).toBe(2)
    expect(error).toMatch(said)
    if (text === undefined) expect(existsSync(join(folder, file))).toBe(false)
    else expect(read(file)).toBe(text)
  })
})

describe('init', { timeout: 60_000 }, () => {
  const upstream = ['--upstream', 'http://localhost:8000/mcp']
  const google = [...upstream, '--provider', 'google', '--issuer', 'example.com']

  it('overwrites nothing, and says so before it asks', async () => {
    writeFileSync(join(folder, 'config.yaml'), 'mine')
    const { code, output, error } = await run(['init'])
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(/config\.yaml exists already, and is not overwritten/)
    expect(read('config.yaml')).toBe('mine')
    rmSync(join(folder, 'config.yaml'))
  })

  it.each([
    [['--upstream', 'a | b'], '', /pipe/],
    [[...upstream, '--provider', 'google'], 'not a domain\n', /Which Google Workspace domain/],
    [[...upstream, '--provider', 'keycloak'], '', /An answer is missing: 3\. What is the URL of the realm/],
    // What only shows when the configuration is loaded.
    [[...google, '--public-url', 'http://a.example.com', '--scope', 'a'], '', /uses http/],
    [[...google, '--allow', 'bob@example.com'], '', /The domain already says who may sign in/],
    [
      [...upstream, '--provider', 'issuer', '--allow', 'bob@example.com'],
      'https://idp.example.com\n',
      /decided by that authorization server/,
    ],
    [[...upstream, '--provider', 'google', '--allow', 'alice'], '\n', /"alice" is neither an address/],
    [[...google, '--scope', 'bob@example.com'], '', /is a condition on users/],
    [upstream, '', /An answer is missing: Which of them do users sign in with\?.+ Give it with --provider\./],
    [
      [...upstream, '--issuer', 'https://idp.example.com'],
      '',
      /Add --provider oidc if .+ or --provider issuer if MCP clients can use "https:\/\/idp\.example\.com"/,
    ],
    [[], '', /An answer is missing: 1\. What is your MCP server.+ Give it with --upstream\./],
    [['--json'], '', /--json is for the commands doctor, explain, users, clients, sessions and keys/],
    [['--port', '1'], '', /no answer to a question/],
  ])('refuses %j, and leaves nothing behind', async (argv, input, said) => {
    const file = nameFile()
    const { code, output, error } = await run(['init', file, ...argv], input)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(said)
    expect(existsSync(join(folder, file))).toBe(false)
  })

  // A folder in which root cannot make files either.
  it.skipIf(!existsSync('/sys'))('ends with 1 where it may not write, and with 2 for a folder that is missing', async () => {
    const refused = await run(['init', '/sys/config.yaml', ...google], '\n\n')
    expect(refused.error).toMatch(/error \/sys\/config\.yaml cannot be written \((?:EACCES|EPERM|EROFS)\)\.\n$/)
    expect(refused.code).toBe(1)
    const misnamed = await run(['init', 'missing/config.yaml', ...google], '\n\n')
    expect(misnamed.error).toMatch(/error missing\/config\.yaml cannot be written \(ENOENT\)\.\n$/)
    expect(misnamed.code).toBe(2)
  })

  it('leaves nothing behind when it is ended in the middle', async () => {
    const file = nameFile()
    const { child, written, exit } = start(['init', file])
    child.stdin.write('http://localhost:8000/mcp\n')
    while (!written.error.includes('What do users sign in with')) await once(child.stderr, 'data')
    child.kill('SIGINT')
    expect(await exit).not.toBe(0)
    expect(readdirSync(folder).filter((name) => name.startsWith(file))).toEqual([])
  })

  it.skipIf(!existsSync('/usr/bin/script'))('asks a person again, and is broken off by Ctrl-C without a trace', async () => {
    const file = nameFile()
    const child = spawn('/usr/bin/script', ['-qec', `${process.execPath} ${main} init ${file}`, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1' },
    })
    cleanups.push(() => void child.kill('SIGKILL'))
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (shown += chunk))
    const exit = once(child, 'close').then(([code]) => code as number)
    const answer = async (after: string, text: string) => {
      while (!shown.includes(after)) await once(child.stdout, 'data')
      child.stdin.write(text)
    }
    await answer('What is your MCP server', 'http://localhost:8000/mcp\r')
    await answer('A name or a number', 'goggle\r')
    await answer('Is google meant?', '1\r')
    await answer('Workspace domain', '\r')
    await answer('Under which URL', '\u0003')
    expect(await exit).toBe(1)
    expect(shown).toContain('Aborted; nothing was written.')
    expect(existsSync(join(folder, file))).toBe(false)
  })
})
