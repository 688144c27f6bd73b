import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parseArguments } from '../src/cli/arguments.ts'
import { loadConfigValue } from '../src/config/load.ts'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { examine } from '../src/doctor/doctor.ts'
import type { Report } from '../src/doctor/report.ts'
import { ADMIN } from './support/asgardeo/state.ts'
import { startAsgardeoStage } from './support/asgardeo-stage.ts'
import { startBrokerStage } from './support/broker-stage.ts'
import { createCertificate } from './support/certificate.ts'
import { type DoctorStage, openDoctorStage, STAGE_ENV, serve, spoilMetadata } from './support/doctor-stage.ts'
import { createFileKey } from './support/key-stage.ts'
import { findSecrets } from './support/log.ts'
import { isRunning, waitUntil } from './support/processes.ts'
import { answerJson, controlStream } from './support/recording-upstream.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const open: { close(): Promise<void> }[] = []
afterEach(async () => void (await Promise.all(open.splice(0).map((stage) => stage.close()))))

async function openStage(options?: Parameters<typeof openDoctorStage>[0]): Promise<DoctorStage> {
  const stage = await openDoctorStage(options)
  open.push(stage)
  return stage
}

/** Runs the command in the folder of the stage. */
async function run({ folder }: { folder: string }, argv: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: folder,
    env: { ...process.env, ...STAGE_ENV, NO_COLOR: '', FORCE_COLOR: '', ...env },
  })
  let output = ''
  let error = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (error += chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code: code as number, output, error }
}

function writeConfig({ folder }: { folder: string }, config: ConfigInput, name = 'config.yaml'): string {
  writeFileSync(join(folder, name), JSON.stringify(config))
  return name
}

const findClient = ({ clients }: Report, name: string) => clients.find(({ client }) => client.startsWith(name))

describe('the doctor, where all is well', { timeout: 60_000 }, () => {
  it('finds no problem and exits with 0', async () => {
    const stage = await openStage()
    const config = stage.configure()
    await stage.run(config)
    writeConfig(stage, config)
    const token = await stage.issuer.mint({ claims: { aud: `${stage.front.origin}/mcp` } })
    const { code, output, error } = await run(stage, ['doctor', '--token', '-'], `Bearer ${token}\n`)
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toMatch(/no problems, no warnings\.\n$/)
    for (const said of [
      'The MCP server',
      'PKCE with S256',
      'It is accepted',
      'CORS',
      'will connect  Claude Code',
      'Goose, mcp-remote',
    ])
      expect(output).toContain(said)
    expect(findSecrets(output, [token])).toEqual([])
  })

  it('finds no problem with the broker, a real identity provider and both transports', async () => {
    const stage = await startBrokerStage()
    open.push(stage)
    const env = { BROKER_SECRET: 'secret-of-the-broker-at-its-provider' }
    const config: ConfigInput = {
      public_url: stage.proxy.origin,
      listen: { port: stage.proxy.port },
      identity_provider: {
        issuer: stage.identityProvider.issuer,
        name: 'Example ID',
        client_id: 'the-broker',
        client_secret: { env: 'BROKER_SECRET' },
      },
      broker: { store: { kind: 'memory' } },
      servers: [{ path: '/mcp', upstream: stage.mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }],
    }
    writeConfig(stage, config)
    const { code, output } = await run(stage, ['doctor'], '', env)
    expect(code, output).toBe(0)
    expect(output).toMatch(/It knows the client\. Its redirect URI there has to be\s+http:\/\/localhost:\d+\/oauth\/callback/)
    expect(output).toContain('Clients register by client ID metadata documents or')
    const refused = await run(stage, ['doctor'], '', { BROKER_SECRET: 'an-old-secret-of-the-broker' })
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('It refuses the client "the-broker"')
    expect(refused.output).not.toContain('an-old-secret')
  })

  it('knows whether the proxy may make its own application at Asgardeo', async () => {
    const stage = await startAsgardeoStage()
    open.push(stage)
    const diagnose = (secret: string) => {
      const config = {
        public_url: stage.proxy.origin,
        listen: { port: stage.proxy.port },
        identity_provider: {
          kind: 'asgardeo',
          base_url: stage.asgardeo.base,
          admin: { client_id: ADMIN.clientId, client_secret: { env: 'ADMIN' } },
        },
        broker: { store: { kind: 'memory' } },
        servers: [{ path: '/mcp', upstream: stage.mcpServer.streamableHttpUrl }],
      }
      return examine(loadConfigValue(config, { env: { ADMIN: secret }, directory: '/', terminal: false }).plan, undefined)
    }
    const { findings } = await diagnose(ADMIN.clientSecret)
    expect(findings.filter(({ verdict }) => verdict === 'problem')).toEqual([])
    expect(findings).toContainEqual(expect.objectContaining({ id: 'asgardeo_admin', verdict: 'ok' }))
    const refused = await diagnose('an-old-secret-of-the-admin')
    expect(refused.findings).toContainEqual(
      expect.objectContaining({ id: 'asgardeo_admin', verdict: 'problem', fix: expect.stringMatching(/admin\.client_secret/) }),
    )
    expect(JSON.stringify(refused)).not.toContain('an-old-secret')
  })

  it('says that the proxy does not run, which is no problem, and predicts what clients will do', async () => {
    const stage = await openStage()
    stage.front.lead('http://127.0.0.1:1')
    const config = stage.configure({ public_url: 'https://mcp.invalid' })
    const report = await examine(stage.load(config), undefined)
    expect(report.findings.filter(({ verdict }) => verdict === 'problem')).toEqual([])
    expect(report.findings).toContainEqual(
      expect.objectContaining({
        id: 'not_running',
        verdict: 'skipped',
        says: expect.stringMatching(/start the proxy, and run doctor again/),
      }),
    )
    expect(report.findings).toContainEqual(expect.objectContaining({ id: 'token_not_given', verdict: 'skipped' }))
    expect(findClient(report, 'Claude Code')).toMatchObject({ verdict: 'connects' })
  })

  it('asks a stdio server, a server of 2026-07-28 and one with sessions, and leaves nothing behind', async () => {
    const stage = await openStage()
    const script = `echo $$ > pid; while read -r line; do echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}' | sed "s/:1,/:$(echo "$line" | sed 's/.*"id":\\("[^"]*"\\|[0-9]*\\).*/\\1/'),/"; done`
    writeFileSync(join(stage.folder, 'server.sh'), script)
    const sessions = stage.upstream
    sessions.answerWith((request, response) => {
      if (request.url === '/modern') return void modern(request, response)
      void answerJson({ jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-06-18', serverInfo: { name: 'old' } } }, 200, {
        'Mcp-Session-Id': 'abc',
      })(request, response)
    })
    const modern: Parameters<typeof sessions.answerWith>[0] = (request, response) =>
      request.headers['mcp-method'] === 'server/discover'
        ? answerJson({ jsonrpc: '2.0', id: 1, result: { supportedVersions: ['2026-07-28'] } })(request, response)
        : answerJson({ jsonrpc: '2.0', id: 1, error: { code: -32601, message: 'Method not found' } }, 400)(request, response)
    const config = stage.configure({
      servers: [
        { ...serve({ command: ['sh', 'server.sh'], work_dir: stage.folder }), path: '/a' },
        { ...serve(`${sessions.origin}/modern`), path: '/b' },
        { ...serve(`${sessions.origin}/sessions`), path: '/c' },
      ],
    })
    const { findings } = await examine(stage.load(config), undefined)
    const says = findings.filter(({ id }) => id.startsWith('upstream')).map(({ verdict, says }) => `${verdict}: ${says}`)
    expect(says).toEqual([
      expect.stringMatching(/^ok: The MCP server \(`sh`\) starts and answers/),
      expect.stringMatching(/^ok: .*`server\/discover` \(2026-07-28\)/),
      expect.stringMatching(/^ok: .*`initialize` as "old" \(2025-06-18\)/),
    ])
    expect(sessions.requests.map(({ method, headers }) => [method, headers['mcp-session-id']])).toContainEqual(['DELETE', 'abc'])
    const pid = Number(readFileSync(join(stage.folder, 'pid'), 'utf8'))
    await waitUntil(() => !isRunning(pid), 'the process of the MCP server ends')
  })

  it.each([401, 403])(
    'finds no fault with an MCP server that asks for the caller’s token, which it gets (%s)',
    async (status) => {
      const stage = await openStage()
      stage.upstream.answerWith((_, response) => void response.writeHead(status, { 'www-authenticate': 'Bearer' }).end())
      const server = { ...serve(`${stage.upstream.origin}/mcp`), forward_access_token: true }
      const { findings } = await examine(stage.load(stage.configure({ servers: [server] })), undefined)
      expect(findings.filter(({ id }) => id.startsWith('upstream'))).toEqual([
        expect.objectContaining({
          id: 'upstream_wants_token',
          verdict: 'skipped',
          says: expect.stringContaining(`needs the issuer ${stage.issuer.issuer}, the audience ${stage.front.origin}/mcp`),
        }),
      ])
    },
  )

  it('finds no fault with an MCP server that asks for an assertion of who calls, and says what verifies one', async () => {
    const stage = await openStage()
    stage.upstream.answerWith((_, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end())
    const server = { ...serve(`${stage.upstream.origin}/mcp`), identity: {} }
    const { findings } = await examine(stage.load(stage.configure({ servers: [server], store: { kind: 'memory' } })), undefined)
    const says = findings.filter(({ id }) => id.startsWith('upstream')).map(({ verdict, says }) => `${verdict}: ${says}`)
    expect(says).toEqual([
      expect.stringMatching(/^skipped: .* refuses requests without an assertion of who calls \(status 401\), as it should/),
    ])
    const { origin } = stage.front
    const needs = `the issuer ${origin}, the audience ${stage.upstream.origin}/mcp, the algorithm ES256 and the keys at ${origin}/identity/jwks`
    expect(says[0]).toContain(needs)
  })

  it('knows a server that accepts access keys only, and tells an access key from a token', async () => {
    const stage = await openStage()
    const { key, entry } = createFileKey({ servers: ['mcp'] })
    const [server] = stage.configure().servers
    const config = { ...stage.configure(), keys: [entry], servers: [{ ...server, name: 'mcp', issuers: [] }] } as ConfigInput
    await stage.run(config)
    const { findings, clients } = await examine(stage.load(config), key)
    expect(findings.filter(({ verdict }) => verdict === 'problem')).toEqual([])
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'token', says: expect.stringContaining('It is an access key') }),
    )
    expect(clients).toEqual([])
    expect(JSON.stringify(findings)).not.toContain(key)
  })

  it('says of a token that ends within a minute just that', async () => {
    const stage = await openStage()
    const exp = Math.floor(Date.now() / 1000) + 30
    const token = await stage.issuer.mint({ claims: { aud: `${stage.front.origin}/mcp`, exp } })
    const { findings } = await examine(stage.load(stage.configure()), token)
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'token', verdict: 'ok', says: expect.stringContaining('less than a minute') }),
    )
  })

  it('reads an answer that is an event stream without an end', async () => {
    const stage = await openStage()
    const stream = controlStream()
    stage.upstream.answerWith(stream.answer)
    const asked = examine(stage.load(stage.configure({ servers: [serve(`${stage.upstream.origin}/mcp`)] })), undefined)
    await stream.send('event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}\n\n')
    expect((await asked).findings).toContainEqual(expect.objectContaining({ id: 'upstream', verdict: 'ok' }))
  })

  it('warns of a certificate that ends soon', async () => {
    const stage = await openStage()
    const { cert, key } = createCertificate({ endsIn: 3 * 86_400 + 60 })
    writeFileSync(join(stage.folder, 'cert.pem'), cert)
    writeFileSync(join(stage.folder, 'key.pem'), key)
    const tls = { cert_file: 'cert.pem', key_file: 'key.pem' }
    const config = stage.configure({ public_url: `https://localhost:${stage.port}`, listen: { port: stage.port, tls } })
    await stage.run(config)
    const file = writeConfig(stage, config, 'tls.yaml')
    const { code, output } = await run(stage, ['doctor', file], '', { NODE_EXTRA_CA_CERTS: join(stage.folder, 'cert.pem') })
    expect(code, output).toBe(0)
    expect(output).toContain('Its certificate ends in 3 days.')
  })
})

describe('the command doctor', { timeout: 60_000 }, () => {
  it('exits with 1 when something is wrong, and says so in lines of 80 columns', async () => {
    const stage = await openStage()
    await stage.issuer.setOutage('refuse')
    const config = stage.configure({ servers: [serve('http://127.0.0.1:1/mcp')] })
    const { code, output } = await run(stage, ['doctor', writeConfig(stage, config, 'other.yaml')])
    expect(code).toBe(1)
    expect(output).toMatch(/^ {2}problem {2}None of its \d/m)
    expect(output).toMatch(/3 problems, no warnings\.\n$/)
    for (const line of output.split('\n')) expect(line.length <= 80 || line.trimStart().split(' ').length === 1, line).toBe(true)
    expect(output).not.toContain('\u001b')
  })

  it('prints JSON for machines', async () => {
    const stage = await openStage()
    spoilMetadata(stage.issuer, { code_challenge_methods_supported: ['plain'] })
    const { code, output } = await run(stage, ['doctor', '--json', writeConfig(stage, stage.configure())])
    const report = JSON.parse(output) as Report
    expect(code).toBe(1)
    expect(report.findings).toContainEqual(
      expect.objectContaining({ id: 'pkce_without_s256', verdict: 'problem', about: `issuer ${stage.issuer.issuer}` }),
    )
    expect(report.clients.map(({ verdict }) => verdict)).not.toContain('connects')
  })

  it.each([
    [['doctor', '--token', 'no-such-file'], /cannot be read \(no such file\)/],
    [['doctor', '--token', '-'], /Standard input has no token in it/],
    [['doctor', 'missing.yaml'], /cannot be read/],
  ])('exits with 2 for %j', async (argv, said) => {
    const stage = await openStage()
    writeConfig(stage, stage.configure())
    const { code, output, error } = await run(stage, argv)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(error).toMatch(said)
  })

  it.each([
    [['doctor', '--token'], /needs a value/],
    [['doctor', 'a.yaml', 'b.yaml'], /Unexpected argument "b\.yaml"/],
    [['doctor', 'a.yaml', '--config', 'b.yaml'], /beside --config/],
    [['check', '--json'], /--json is for the commands doctor, explain, users, clients, sessions and keys/],
    [['serve', '--token', 'x'], /--token is for the commands doctor, explain and keys/],
  ])('cannot be called as %j', (argv, said) => {
    expect(() => parseArguments(argv)).toThrow(said)
  })

  it('never repeats a token, even one that is wrong, that others repeat, or that came with more than it should', async () => {
    const stage = await openStage()
    const token = await stage.issuer.mint({ claims: { aud: 'somebody-else' } })
    const opaque = 'opaque-token-0123456789-abcdefghijklmnop'
    // What others say may be the secret itself.
    stage.issuer.setIntrospection((form) => ({
      active: true,
      aud: form.get('token'),
      exp: 4_000_000_000,
      sub: form.get('token'),
    }))
    const introspection = { client_id: 'proxy', client_secret: { env: 'SECRET' } }
    const config = stage.configure({ issuers: [{ issuer: stage.issuer.issuer, introspection }] })
    await stage.run(config)
    writeConfig(stage, config)
    for (const secret of [token, opaque]) {
      writeFileSync(join(stage.folder, 'token.txt'), `${secret}\n`)
      const told = await run(stage, ['doctor', '--token', 'token.txt'])
      expect(told.code).toBe(1)
      expect(told.output).toContain('token_audience_mismatch')
      expect(findSecrets(told.output + told.error, [secret, STAGE_ENV.SECRET])).toEqual([])
      const json = await run(stage, ['doctor', '--json', '--token', '-'], secret)
      expect(findSecrets(json.output + json.error, [secret, STAGE_ENV.SECRET])).toEqual([])
    }
    const twice = await run(stage, ['doctor', '--token', '-'], `${token}\n${token}`)
    expect(twice.code).toBe(2)
    expect(findSecrets(twice.output + twice.error, [token])).toEqual([])
  })
})

describe('what a hostile issuer or MCP server answers', { timeout: 60_000 }, () => {
  it.each(['huge', 'drip', 'hang'] as const)(
    'is given up when it is %s, and told as a problem',
    async (outage) => {
      const stage = await openStage()
      await stage.issuer.setOutage(outage)
      stage.upstream.answerWith((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const more = () => {
          while (response.write('x'.repeat(65_536)));
        }
        response.on('drain', more)
        if (outage === 'huge') more()
      })
      const { findings } = await examine(
        stage.load(stage.configure({ servers: [serve(`${stage.upstream.origin}/mcp`)] })),
        undefined,
      )
      expect(findings).toContainEqual(expect.objectContaining({ id: 'issuer_metadata_missing', verdict: 'problem' }))
      expect(findings).toContainEqual(expect.objectContaining({ verdict: 'problem', about: 'server mcp' }))
    },
    30_000,
  )

  it('is shown and not obeyed by a terminal', async () => {
    const stage = await openStage()
    const evil = '\u001b]0;owned\u0007\u001b[2J\u202eevil\n  ok       all is well\u2028'
    spoilMetadata(stage.issuer, { issuer: `https://idp.example.com/${evil}`, jwks_uri: evil })
    stage.issuer.publish([{ kty: 'RSA', kid: evil, n: 'AQAB', e: 'AQAB' }])
    stage.upstream.answerWith((request, response) =>
      request.url === '/page'
        ? void response.writeHead(200, { 'content-type': 'text/plain' }).end(evil)
        : answerJson({ jsonrpc: '2.0', id: 1, result: { protocolVersion: evil, serverInfo: { name: evil } } })(request, response),
    )
    const config = stage.configure({
      servers: [
        { ...serve(`${stage.upstream.origin}/mcp`), path: '/a' },
        { ...serve(`${stage.upstream.origin}/page`), path: '/b' },
        { ...serve({ command: ['sh', '-c', `printf '%b' '\\033[31mred\\007' >&2; exit 1`] }), path: '/c' },
      ],
    })
    for (const json of [[], ['--json']]) {
      const { code, output, error } = await run(stage, ['doctor', ...json, writeConfig(stage, config)], '', { FORCE_COLOR: '' })
      expect({ code, error }).toEqual({ code: 1, error: '' })
      expect(output).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      expect(output).not.toMatch(/^ {2}ok {7}all is well/m)
      expect(output).toContain('u{1b}')
    }
  })

  it('cannot lead the doctor into the network behind it', async () => {
    const stage = await openStage()
    spoilMetadata(stage.issuer, { jwks_uri: 'http://169.254.169.254/latest/meta-data/', token_endpoint: 'http://10.0.0.1/token' })
    const { findings } = await examine(stage.load(stage.configure()), undefined)
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'keys_unreachable', says: expect.stringMatching(/https is needed/) }),
    )
  })
})

describe('what the doctor says of clients', () => {
  async function judge(plant: (stage: DoctorStage) => unknown, config: Partial<ConfigInput> = {}): Promise<Report> {
    const stage = await openStage()
    await stage.run(stage.configure())
    await plant(stage)
    return examine(stage.load(stage.configure(config)), undefined)
  }

  it('names the redirect URI and the place for the id where clients cannot register, and who then cannot connect', async () => {
    const report = await judge(({ issuer }) =>
      spoilMetadata(issuer, { registration_endpoint: undefined, client_id_metadata_document_supported: false }),
    )
    expect(findClient(report, 'Claude Code')).toMatchObject({
      verdict: 'prepare',
      reasons: [expect.stringMatching(/http:\/\/localhost:8090\/callback.*--client-id/)],
    })
    expect(findClient(report, 'Goose')).toMatchObject({
      verdict: 'fails',
      reasons: [expect.stringMatching(/does not let users enter a client id/)],
    })
  })

  it('keeps those apart that use metadata documents, and those that do so for public clients only', async () => {
    const documents = { registration_endpoint: undefined, token_endpoint_auth_methods_supported: ['client_secret_basic'] }
    const report = await judge(({ issuer }) => spoilMetadata(issuer, documents))
    expect(findClient(report, 'Goose')).toMatchObject({ verdict: 'connects' })
    expect(findClient(report, 'VS Code')).toMatchObject({ verdict: 'connects' })
    expect(findClient(report, 'Claude Code')).toMatchObject({ verdict: 'prepare' })
    expect(findClient(report, 'Cursor')).toMatchObject({ verdict: 'prepare' })
  })

  it('knows that those on the internet reach neither this machine nor http', async () => {
    const report = await judge(() => undefined)
    expect(findClient(report, 'Claude.ai')).toMatchObject({
      verdict: 'fails',
      reasons: [expect.stringMatching(/localhost cannot be reached/), expect.stringMatching(/issuer/)],
    })
    expect(findClient(report, 'ChatGPT')).toMatchObject({ verdict: 'fails' })
    expect(findClient(report, 'Claude Code')).toMatchObject({ verdict: 'connects' })
  })

  it.each([
    [
      'Python SDK',
      /second `\?`/,
      (stage: DoctorStage) => spoilMetadata(stage.issuer, { authorization_endpoint: `${stage.issuer.issuer}/authorize?a=b` }),
    ],
    ['ChatGPT', /PKCE/, (stage: DoctorStage) => spoilMetadata(stage.issuer, { code_challenge_methods_supported: undefined })],
    [
      'mcp-remote',
      /not https/,
      (stage: DoctorStage) => spoilMetadata(stage.issuer, { token_endpoint: 'http://idp.example.com/token' }),
    ],
    [
      'MCP Inspector before',
      /CORS preflight/,
      (stage: DoctorStage) => stage.front.change((headers) => delete headers['access-control-allow-origin']),
    ],
    [
      'VS Code',
      /another URL/,
      (stage: DoctorStage) =>
        stage.front.spoil(({ url }, response) =>
          Boolean(
            url?.startsWith('/.well-known') &&
              response
                .writeHead(200, { 'content-type': 'application/json' })
                .end(JSON.stringify({ resource: stage.front.origin })),
          ),
        ),
    ],
  ])('knows what stops %s and not Cursor', async (client, reason, plant) => {
    const report = await judge(plant)
    expect(findClient(report, client)).toMatchObject({
      verdict: 'fails',
      reasons: expect.arrayContaining([expect.stringMatching(reason)]),
    })
    expect(findClient(report, 'Cursor')).toMatchObject({ verdict: 'connects' })
  })
})
