import { describe, expect, it } from 'vitest'
import type { Plan } from '../../core/plan/plan.ts'
import type { ServerPlan } from '../../core/plan/server-plan.ts'
import { loadConfigFile, loadConfigValue } from '../load.ts'
import { ConfigError, type Problem } from '../problem/problem.ts'
import { isGoProxyConfig } from './translate.ts'

const fixture = (name: string) => new URL(`../../../test/fixtures/go-proxy/${name}.yaml`, import.meta.url).pathname
const loadFixture = (name: string): Plan => loadConfigFile(fixture(name), { env: {}, terminal: false }).plan
const load = (value: unknown): Plan => loadConfigValue(value, { env: {}, directory: '.', terminal: false }).plan

function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function serverOf(plan: Plan): ServerPlan {
  const [server, ...others] = plan.servers
  if (server === undefined || others.length > 0) throw new Error('the translation makes one server')
  return server
}

const endpointsOf = (plan: Plan) =>
  serverOf(plan).endpoints.map(({ kind, path, upstream }) => [
    kind,
    path,
    upstream.kind === 'http' ? upstream.url : upstream.command,
  ])
const noticed = (plan: Plan, key: string) => plan.notices.filter((notice) => notice.startsWith(`${key}:`))

/** Enough for the Go proxy to start. */
const least = { base_url: 'http://localhost:8000', listen_port: 8080, authorization_servers: ['https://idp.example.com'] }

describe('the shape that came with versions 1.2 and 1.3', () => {
  const plan = loadFixture('shipped-v1.2')

  it('serves every path that it names, on every interface', () => {
    expect(plan.listen).toMatchObject({ host: '0.0.0.0', port: 8080 })
    expect(plan.publicUrl).toBe('http://localhost:8080')
    expect(endpointsOf(plan)).toEqual([
      ['streamable_http', '/mcp', 'http://localhost:8000/mcp'],
      ['sse', '/sse', 'http://localhost:8000/sse'],
      ['messages', '/messages/', 'http://localhost:8000/sse'],
    ])
    expect(noticed(plan, 'listen_port')).toEqual([expect.stringMatching(/every interface.*listen\.host/)])
  })

  it('accepts tokens of its issuer for its audience, its resource identifier and its URLs', () => {
    const { issuers, audiences } = serverOf(plan)
    expect(issuers).toMatchObject([
      { issuer: 'https://api.asgardeo.io/t/sandbox/oauth2/token', jwksUri: 'https://api.asgardeo.io/t/sandbox/oauth2/jwks' },
    ])
    expect(audiences).toEqual(['http://localhost:8080/mcp', 'http://localhost:8080/sse', 'some-client-id'])
  })

  it('asks for the scopes of methods and tools, and leaves the others open', () => {
    expect(serverOf(plan).policy).toEqual({
      baseScopes: [],
      rules: [
        { method: 'initialize', scopes: ['mcp_init'] },
        { tool: 'echo_tool', scopes: ['mcp_echo_tool'] },
        { tool: 'admin_tool', scopes: ['mcp_admin', 'mcp_audit'] },
      ],
      hierarchy: {},
      unlistedOperations: 'permit',
    })
  })

  it('publishes a flat list of scopes', () => {
    expect(serverOf(plan).scopesSupported).toEqual(['mcp_init', 'mcp_echo_tool', 'mcp_admin', 'mcp_audit'])
  })

  it('takes CORS, bearer methods and the timeout over', () => {
    expect(plan.cors).toMatchObject({
      allowedOrigins: ['http://127.0.0.1:6274', 'http://localhost:6274'],
      allowCredentials: true,
    })
    expect(plan.cors.allowedMethods).toContain('PUT')
    expect(serverOf(plan).bearerMethods).toEqual(['header', 'body', 'query'])
    expect(serverOf(plan).endpoints).toMatchObject(Array(3).fill({ upstream: { responseSeconds: 10 } }))
    expect(noticed(plan, 'timeout_seconds')).toEqual([expect.stringMatching(/response headers only/)])
  })

  it('says that the sandbox and the switched-off process have no part in it', () => {
    expect(noticed(plan, 'demo')).toHaveLength(1)
    expect(noticed(plan, 'stdio')).toHaveLength(1)
    expect(plan.notices.join()).not.toContain('sandbox-secret')
  })
})

describe('the shape of the README: keys at the top', () => {
  const plan = loadFixture('top-level')

  it('takes the public URL from the resource identifier, and says so', () => {
    expect(plan.publicUrl).toBe('https://mcp.example.com')
    expect(plan.allowedHosts).toEqual(['mcp.example.com', 'mcp.example.com:443'])
    expect(noticed(plan, 'resource_identifier')).toEqual([expect.stringMatching(/`public_url`.*`base_url`/)])
  })

  it('asks for every scope of a plain list', () => {
    expect(serverOf(plan).policy.baseScopes).toEqual(['mcp:read', 'mcp:use'])
    expect(endpointsOf(plan)).toEqual([['streamable_http', '/mcp', 'http://localhost:8000/mcp']])
  })
})

describe('the shape of the README: keys below asgardeo', () => {
  const plan = loadFixture('below-asgardeo')

  it('is served as a resource server, with the issuer that its tokens name', () => {
    expect(serverOf(plan).issuers).toMatchObject([{ issuer: 'https://tenant.us.auth0.com/' }])
    expect(noticed(plan, 'authorization_servers[0]')).toEqual([expect.stringMatching(/tenant\.us\.auth0\.com\//)])
    expect(noticed(plan, 'asgardeo')).toEqual([expect.stringMatching(/is not used.*--asgardeo/)])
  })

  it('reads the path map', () => {
    expect(serverOf(plan).policy.rules).toEqual([
      { path: '/messages/', scopes: ['mcp_proxy:message'] },
      { method: 'resources/list', scopes: ['mcp_proxy:read'] },
      { tool: 'get-alerts', scopes: ['mcp_proxy'] },
    ])
  })

  it('knows a process block without effect from one with effect', () => {
    expect(noticed(plan, 'stdio')).toEqual([expect.stringMatching(/no effect/)])
  })
})

describe('a provider by base URL and keys', () => {
  it('is an issuer; Keycloak keeps its keys below it', () => {
    const plan = loadFixture('default-provider')
    expect(serverOf(plan).issuers).toMatchObject([
      {
        issuer: 'http://localhost:8088/realms/master',
        jwksUri: 'http://localhost:8088/realms/master/protocol/openid-connect/certs',
      },
    ])
    expect(serverOf(plan).policy.rules).toEqual([
      { method: 'tools/*', scopes: ['read:tools'] },
      { method: 'prompts/get', scopes: ['use:prompts', 'audit'] },
    ])
  })

  it('names its issuer in the metadata document that the Go proxy served', () => {
    const path = { '/.well-known/oauth-authorization-server': { response: { issuer: 'https://idp.example.com/real' } } }
    const plan = load({
      base_url: 'http://localhost:8000',
      default: { base_url: 'https://idp.example.com', jwks_url: 'https://idp.example.com/jwks', path },
    })
    expect(serverOf(plan).issuers[0]?.issuer).toBe('https://idp.example.com/real')
    expect(plan.rewrite).toMatchObject({ issuer: 'https://idp.example.com/real', publicUrl: 'http://localhost:8080' })
  })

  it('without a public URL is served under any host, and says so', () => {
    const plan = loadFixture('default-provider')
    expect(plan).toMatchObject({ publicUrl: 'http://localhost:8081', allowedHosts: '*' })
    expect(noticed(plan, 'proxy_base_url')).toEqual([expect.stringMatching(/`allowed_hosts`/)])
  })
})

describe('a provider whose requests were changed and passed on', () => {
  it.each([
    ['guide-auth0', 'https://acme.eu.auth0.com', '/authorize?audience=mcp_proxy', '/oauth/token', '/oidc/register'],
    [
      'guide-keycloak',
      'http://localhost:8080',
      '/realms/master/protocol/openid-connect/auth',
      '/realms/master/protocol/openid-connect/token',
      '/realms/master/clients-registrations/openid-connect',
    ],
  ])('is passed on to as before: %s', (name, base, authorize, token, register) => {
    const plan = loadFixture(name)
    expect(plan.rewrite).toMatchObject({
      publicUrl: plan.publicUrl,
      authorization: { url: base + authorize, parameters: {} },
      token: { url: base + token, parameters: { audience: 'mcp_proxy' } },
      registration: { url: base + register, parameters: {} },
      metadata: { grant_types_supported: ['authorization_code', 'refresh_token'] },
    })
    expect(plan.rewrite?.metadata).not.toHaveProperty('issuer')
    expect(serverOf(plan).audiences).toContain('mcp_proxy')
  })

  it.each([
    ['guide-auth0', /kind: auth0, domain: "acme\.eu\.auth0\.com"/],
    ['guide-keycloak', /kind: keycloak, base_url: "http:\/\/localhost:8080", realm: "master"/],
  ])('is told which clients that cannot serve, and what does: %s', (name, better) => {
    const notices = noticed(loadFixture(name), 'default').join('\n')
    expect(notices).toMatch(/clients that check (?:`iss`|it)/)
    expect(loadFixture(name).notices.filter((notice) => notice.includes('`iss` in the redirect'))).toHaveLength(1)
    expect(notices).toMatch(better)
  })

  it('gets the parameters of a misspelt path too', () => {
    const plan = loadFixture('rewriting-provider')
    expect(plan.rewrite?.authorization.parameters).toEqual({ audience: 'mcp_proxy' })
    expect(noticed(plan, 'default.path["/authroize"]')).toHaveLength(1)
  })

  it('is asked where its metadata sent clients, but not where that is ourselves', () => {
    const response = {
      authorization_endpoint: 'https://idp.example.com/go',
      token_endpoint: 'http://localhost:8080/token',
      registration_endpoint: 'https://idp.example.com/register',
    }
    const path = { '/.well-known/oauth-authorization-server': { response } }
    const plan = load({ base_url: 'http://localhost:8000', default: { base_url: 'https://idp.example.com/', path } })
    expect(plan.rewrite).toMatchObject({
      authorization: { url: 'https://idp.example.com/go' },
      token: { url: 'https://idp.example.com/token' },
      registration: { url: 'https://idp.example.com/register' },
    })
  })

  it('is a mistake where it is this proxy itself', () => {
    const go = { base_url: 'http://localhost:8000', listen_port: 8080, path_mapping: { '/token': '/x' } }
    const problems = problemsOf(() => load({ ...go, default: { base_url: 'http://localhost:8080' } }))
    expect(problems.map(({ path }) => path)).toContain('default.base_url')
  })
})

describe('the first release', () => {
  it('is served with the keys that it had', () => {
    const plan = loadFixture('first-release')
    expect(plan.listen).toMatchObject({ host: '0.0.0.0', port: 8099 })
    expect(endpointsOf(plan)).toEqual([
      ['sse', '/sse', 'http://localhost:8000/sse'],
      ['messages', '/messages/', 'http://localhost:8000/sse'],
    ])
    expect(serverOf(plan).issuers).toMatchObject([
      { issuer: 'https://idp.example.com/t/acme', jwksUri: 'https://idp.example.com/t/acme/jwks' },
    ])
    expect(plan.cors.allowCredentials).toBe(true)
  })
})

describe('a sandbox', () => {
  const demo = { org_name: 'acme', client_id: 'the-id', client_secret: 'the-secret' }
  const start = (value: unknown, flag = true) =>
    loadConfigValue(value, { env: {}, directory: '.', terminal: false, demo: flag }).plan

  it('is signed in at with --demo, whatever else the file names', () => {
    const plan = start({ ...least, demo, asgardeo: { org_name: 'other', client_id: 'x', client_secret: 'y' } })
    expect(plan.broker?.identityProvider).toMatchObject({
      kind: 'asgardeo',
      issuer: 'https://api.asgardeo.io/t/acme/oauth2/token',
    })
    expect(plan.broker?.identityProvider.asgardeo?.admin).toEqual({ clientId: 'the-id', clientSecret: 'the-secret' })
    expect(plan.notices.join()).not.toContain('the-secret')
  })

  it('needs the flag', () => {
    const problems = problemsOf(() => loadFixture('stdio'))
    expect(problems.map(({ path }) => path)).toEqual(['demo'])
    expect(problems[0]?.fix).toMatch(/Start with `--demo`/)
    expect(JSON.stringify(problems)).not.toContain('-secret')
  })

  it('is not taken for none when its block is incomplete', () => {
    const problems = problemsOf(() => start({ ...least, demo: { org_name: 'acme' } }))
    expect(problems.map(({ path }) => path)).toEqual(['demo.client_id', 'demo.client_secret'])
  })

  it('of the Go proxy itself is gone, which the start says', () => {
    expect(noticed(start({ ...least, demo: { ...demo, org_name: 'openmcpauthdemo' } }), 'demo.org_name')).toHaveLength(1)
  })
})

describe('what has no use where the issuer is named', () => {
  it('is a notice where clients find the issuer by themselves', () => {
    const plan = load({
      ...least,
      path_mapping: { '/token': '/oauth/token' },
      default: { path: { '/token': { addBodyParams: [{ name: 'audience', value: 'x' }] } } },
      asgardeo: { org_name: 'acme', client_id: 'a', client_secret: 'b' },
    })
    for (const key of ['path_mapping["/token"]', 'default.path["/token"]', 'asgardeo']) expect(noticed(plan, key)).toHaveLength(1)
  })
})

describe('the MCP server as a process', () => {
  const stdio = {
    enabled: true,
    user_command: 'npx -y "some server" --flag',
    work_dir: '/srv',
    args: ['more'],
    env: ['A=1', 'B=x=y'],
  }

  it('is started without a bridge between, and serves every transport', () => {
    const plan = load({ ...least, transport_mode: 'stdio', stdio })
    expect(endpointsOf(plan).map(([kind, path]) => [kind, path])).toEqual([
      ['streamable_http', '/mcp'],
      ['sse', '/sse'],
      ['messages', '/messages'],
    ])
    const [first, ...others] = serverOf(plan).endpoints.map(({ upstream }) => upstream)
    expect(first).toMatchObject({
      command: ['npx', '-y', 'some server', '--flag', 'more'],
      workDir: '/srv',
      env: { A: '1', B: 'x=y' },
      processPer: 'session',
    })
    expect(others).toEqual([first, first])
    expect(others.every((upstream) => upstream === first)).toBe(true)
    expect(noticed(plan, 'stdio')).toHaveLength(1)
  })

  it('is started as soon as its block is switched on, and by the older block, with its paths', () => {
    const plan = load({ ...least, command: { ...stdio, sse_path: '/events', message_path: '/post' } })
    expect(endpointsOf(plan).map(([, path]) => path)).toEqual(['/mcp', '/events', '/post'])
  })

  it('is not started by the words of a shell', () => {
    const problems = problemsOf(() => load({ ...least, transport_mode: 'stdio', stdio: { user_command: 'a | b' } }))
    expect(problems).toMatchObject([{ path: 'stdio.user_command', reason: expect.stringMatching(/needs a shell/) }])
    expect(problemsOf(() => load({ ...least, transport_mode: 'stdio' }))).toMatchObject([{ path: 'stdio.user_command' }])
  })
})

describe('details of the translation', () => {
  it.each([
    ['https://api.asgardeo.io/t/acme', 'https://api.asgardeo.io/t/acme/oauth2/token'],
    ['https://api.asgardeo.io/t/acme/', 'https://api.asgardeo.io/t/acme/oauth2/token'],
    ['https://api.asgardeo.io/t/acme/oauth2', 'https://api.asgardeo.io/t/acme/oauth2/token'],
    ['https://api.asgardeo.io/t/acme/oauth2/token', 'https://api.asgardeo.io/t/acme/oauth2/token'],
    ['https://api.eu.asgardeo.io/t/acme/o/123/oauth2', 'https://api.eu.asgardeo.io/t/acme/o/123/oauth2/token'],
    ['https://dev-1.us.auth0.com', 'https://dev-1.us.auth0.com/'],
    ['https://api.asgardeo.io.evil.example/t/acme', 'https://api.asgardeo.io.evil.example/t/acme'],
    ['https://idp.example.com/x', 'https://idp.example.com/x'],
  ])('the issuer %s is %s', (written, issuer) => {
    const plan = load({ ...least, authorization_servers: [written] })
    expect(serverOf(plan).issuers[0]?.issuer).toBe(issuer)
    expect(noticed(plan, 'authorization_servers[0]')).toHaveLength(written === issuer ? 0 : 1)
  })

  it('paths default to HTTP+SSE, and to /mcp in streamable_http mode', () => {
    expect(endpointsOf(load(least)).map(([, path]) => path)).toEqual(['/sse', '/messages'])
    expect(endpointsOf(load({ ...least, transport_mode: 'streamable_http' })).map(([, path]) => path)).toEqual(['/mcp'])
    expect(endpointsOf(load({ ...least, paths: { sse: '/events' } })).map(([, path]) => path)).toEqual(['/events', '/messages'])
  })

  it('the base URL may have a path, and path_mapping puts another path in place of the public one', () => {
    const plan = load({
      ...least,
      base_url: 'http://localhost:8000/base/',
      paths: { streamable_http: '/mcp' },
      path_mapping: { '/mcp': '/v2/mcp' },
    })
    expect(endpointsOf(plan)).toEqual([['streamable_http', '/mcp', 'http://localhost:8000/base/v2/mcp']])
  })

  it('the upstream defaults to the port that is named, else to 8000', () => {
    const { base_url, ...rest } = least
    expect(endpointsOf(load({ ...rest, port: 9000 }))[0]?.[2]).toBe('http://localhost:9000/sse')
    expect(endpointsOf(load(rest))[0]?.[2]).toBe('http://localhost:8000/sse')
  })

  it('a base URL that is the proxy itself is refused, under its old name', () => {
    expect(
      problemsOf(() => load({ ...least, base_url: 'http://localhost:8080' })).map(({ path, reason }) => [path, reason]),
    ).toContainEqual(['base_url', expect.stringMatching(/this proxy itself/)])
  })

  it('mistakes are told under the old names', () => {
    const value = {
      ...least,
      listen_port: 99_999,
      proxy_base_url: 'mcp.example.com',
      bearer_methods_supported: ['cookie'],
      paths: { streamable_http: '/a//b' },
    }
    expect(
      problemsOf(() => load(value))
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['bearer_methods_supported', 'listen_port', 'paths.streamable_http', 'proxy_base_url'])
  })

  it('unknown keys are mistakes, with the key that was meant', () => {
    const [problem] = problemsOf(() => load({ ...least, scopes_suported: ['x'] }))
    expect(problem).toMatchObject({ path: 'scopes_suported', fix: 'Did you mean `scopes_supported`?' })
  })

  it('the same key in two places may not say two things', () => {
    const twice = { ...least, audience: 'a', protected_resource_metadata: { audience: 'b' } }
    expect(problemsOf(() => load(twice)).map(({ path }) => path)).toEqual(['protected_resource_metadata.audience'])
    expect(serverOf(load({ ...twice, protected_resource_metadata: { audience: 'a' } })).audiences).toContain('a')
  })

  it('a star among the origins stands for every page, without credentials', () => {
    const plan = load({ ...least, cors: { allowed_origins: ['*'], allowed_headers: ['*'], allow_credentials: true } })
    expect(plan.cors).toEqual({ allowedOrigins: '*', allowedHeaders: [], allowedMethods: [], allowCredentials: false })
    for (const key of ['cors.allowed_origins', 'cors.allow_credentials', 'cors.allowed_headers'])
      expect(noticed(plan, key).length).toBeGreaterThan(0)
  })

  it('empty origins are no origins; the Go proxy crashed', () => {
    expect(load({ ...least, cors: { allowed_origins: [] } }).cors.allowedOrigins).toEqual([])
  })

  it('required scopes of a path are a rule about that path', () => {
    const plan = load({ ...least, default: { path: { '/messages': { required_scopes: ['a', 'b'] } } } })
    expect(serverOf(plan).policy.rules).toEqual([{ path: '/messages', scopes: ['a', 'b'] }])
  })

  it('old clients are checked like everyone, and the start says so', () => {
    expect(serverOf(load(least)).legacyClients).toBe('enforce')
    expect(noticed(load(least), 'clients before 2025-03-26')).toEqual([expect.stringMatching(/`legacy_clients`/)])
  })

  it('the resource identifier is an audience even where it is no address of the proxy', () => {
    const plan = load({ ...least, resource_identifier: 'https://elsewhere.example.com/api' })
    expect(serverOf(plan).audiences).toContain('https://elsewhere.example.com/api')
    expect(plan.publicUrl).toBe('http://localhost:8080')
  })

  it('nothing says whose tokens to accept: refused', () => {
    expect(problemsOf(() => load({ base_url: 'http://localhost:8000', listen_port: 8080 })).map(({ path }) => path)).toEqual([
      'authorization_servers',
    ])
  })
})

describe('which format a file has', () => {
  it.each([[least], [{ asgardeo: {} }], [{ paths: {} }], [{ protected_resource_metadata: {} }], [{ jwks_uri: 'x', cors: {} }]])(
    'that of the Go proxy: %j',
    (value) => {
      expect(isGoProxyConfig(value)).toBe(true)
    },
  )

  it.each([
    [{}],
    [{ cors: {} }],
    [{ servers: [] }],
    [{ ...least, servers: [] }],
    [{ ...least, public_url: 'x' }],
    [null],
    [[least]],
    ['x'],
  ])('ours: %j', (value) => {
    expect(isGoProxyConfig(value)).toBe(false)
  })

  it('mixed: every key of the other format is named with the one to use', () => {
    const problems = problemsOf(() => load({ ...least, servers: [] }))
    expect(problems.find(({ path }) => path === 'base_url')).toMatchObject({ fix: expect.stringMatching(/`upstream`/) })
  })
})
