import { describe, expect, it } from 'vitest'
import { loadConfigValue } from './load.ts'
import { ConfigError, formatProblem, type Problem } from './problem/problem.ts'

const issuer = 'https://idp.example.com'
const server = { path: '/mcp', upstream: 'http://localhost:8000/mcp' }
const smallest = { issuers: [issuer], servers: [server] }

function problemsOf(value: unknown): readonly Problem[] {
  try {
    loadConfigValue(value, { env: {}, directory: '.', terminal: false })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** The configuration with changes to its only server. */
const withServer = (changes: object) => ({ ...smallest, servers: [{ ...server, ...changes }] })
const withCredential = (credential: object, more: object = {}) =>
  withServer({ credential: { client_id: 'p', client_secret: { env: 'A' }, ...credential }, ...more })
const withIssuer = (changes: object) => ({ ...smallest, issuers: [{ issuer, ...changes }] })

const secret = { env: 'SECRET' }

/** One mistake each: the configuration, its place, and what is said of it. */
const client = { client_id: 'c', redirect_uris: ['https://client.example/cb'] }
const plainOAuth = {
  authorization_endpoint: 'https://github.com/login/oauth/authorize',
  token_endpoint: 'https://github.com/login/oauth/access_token',
  userinfo_endpoint: 'https://api.github.com/user',
}
const withBroker = (provider: object, broker: object = { store: { kind: 'memory' } }) => ({
  identity_provider: { issuer: 'https://idp.example.com', client_id: 'x', client_authentication: 'none', ...provider },
  broker,
  servers: [server],
})

const withRewrite = (changes: object) => ({
  ...smallest,
  rewrite: { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, ...changes },
})

const withClient = (...clients: object[]) => withBroker({}, { store: { kind: 'memory' }, clients })
const machine = { client_id: 'm', client_secret: secret, grants: ['client_credentials'] }
const agent = { ...machine, grants: ['jwt_bearer'] }
const withAssertions = (issuers: readonly unknown[], ...clients: object[]) =>
  withBroker({}, { store: { kind: 'memory' }, clients, identity_assertions: { issuers } })

const accessKey = { name: 'nightly', digest: `sha256:${'0'.repeat(64)}`, servers: ['mcp'], expires: '2099-01-01' }
const withKey = (changes: object, more: object = {}) => ({ ...smallest, keys: [{ ...accessKey, ...changes }], ...more })
const shownKey = `omap_${'0'.repeat(43)}28xV02`

const mistakes: Readonly<Record<string, readonly (readonly [value: unknown, path: string, said: RegExp])[]>> = {
  'limits that bound nothing, or cannot count': [
    [{ ...smallest, rate_limits: [{}] }, 'rate_limits[0]', /limits nothing/],
    [{ ...smallest, rate_limits: [{ burst: 3, streams: 1 }] }, 'rate_limits[0].burst', /how many in all/],
    [withServer({ rate_limits: [{ per: ['tool'], streams: 1 }] }), 'servers[0].rate_limits[0].streams', /not counted by tool/],
    [withServer({ rate_limits: [{ tools: ['a'], sessions: 1 }] }), 'servers[0].rate_limits[0].sessions', /not counted by tool/],
    [withServer({ rate_limits: [{ per: ['user'], streams: 1 }] }), 'servers[0].rate_limits[0].per[0]', /./],
    [withServer({ rate_limits: [{ calls_per_minute: 0 }] }), 'servers[0].rate_limits[0].calls_per_minute', /1/],
    [withServer({ rate_limits: [{ calls_per_minute: 1.5 }] }), 'servers[0].rate_limits[0].calls_per_minute', /whole/],
    [{ ...smallest, replicas: 0 }, 'replicas', /1/],
  ],
  'issuers of workloads': [
    [{ ...smallest, issuers: ['https://token.actions.githubusercontent.com'] }, 'issuers[0]', /every workflow on GitHub/],
    [withServer({ issuers: ['https://gitlab.com/'] }), 'servers[0].issuers[0]', /every job on GitLab/],
    [
      {
        issuers: ['https://token.actions.githubusercontent.com'],
        servers: [{ ...server, scopes: ['a'], access_mode: 'shadow' }],
      },
      'servers[0].access_mode',
      /no `access`/,
    ],
    [
      {
        issuers: [{ issuer: 'https://token.actions.githubusercontent.com', grant: [{ scopes: ['a'] }] }],
        servers: [{ ...server, scopes: ['a'] }],
      },
      'issuers[0]',
      /every workflow on GitHub/,
    ],
    [
      {
        issuers: ['https://token.actions.githubusercontent.com'],
        access_mode: 'shadow',
        access: [{ everyone: true, tools: ['*'] }],
        servers: [server],
      },
      'issuers[0]',
      /every workflow on GitHub/,
    ],
    [withIssuer({ grant: [{ claim: 'sub', scopes: ['a'] }] }), 'issuers[0].grant[0]', /only one of `claim` and `values`/],
    [withIssuer({ spiffe_trust_domain: 'spiffe://a' }), 'issuers[0].spiffe_trust_domain', /is no trust domain/],
    [
      withIssuer({ jwks_uri: 'http://10.0.0.1/keys', fetch_token_file: 'package.json' }),
      'issuers[0].fetch_token_file',
      /sent unencrypted/,
    ],
  ],
  'access keys': [
    [withKey({ digest: shownKey }), 'keys[0].digest', /^(?![\s\S]*omap_)[\s\S]*is an access key itself/],
    [withKey({ digest: 'sha256:00' }), 'keys[0].digest', /64 hexadecimal digits/],
    [withKey({ servers: ['mpc'] }), 'keys[0].servers[0]', /there is no server "mpc"/],
    [withKey({ servers: [] }), 'keys[0].servers', /./],
    [withKey({ name: 'a b' }), 'keys[0].name', /is not a name/],
    [withKey({ scopes: ['a b'] }), 'keys[0].scopes[0]', /is not one scope/],
    [withKey({ expires: '2027-02-30' }), 'keys[0].expires', /is not a date/],
    [withKey({ expires: 'never' }), 'keys[0].expires', /is not a date/],
    [withKey({ expires: undefined }), 'keys[0].expires', /./],
    [withKey({ addresses: ['10.0.0.0/33'] }), 'keys[0].addresses[0]', /CIDR/],
    [withKey({ issuer }), 'keys[0].issuer', /`for` names none/],
    [withKey({ for: 'alice', issuer: 'https://other.example' }), 'keys[0].issuer', /no issuer whose tokens/],
    [{ ...smallest, keys: [accessKey, accessKey] }, 'keys[1].digest', /is the one of keys\[0\]/],
    [
      withKey({}, { servers: [{ ...server, forward_access_token: true }] }),
      'keys[0].servers[0]',
      /gets an access token of its caller/,
    ],
    [withServer({ issuers: [] }), 'servers[0].issuers', /there can be none.+a `store` of kind `sqlite` or `redis`/s],
    [{ ...withServer({ issuers: [] }), store: { kind: 'memory' } }, 'servers[0].issuers', /`store.kind` other than `memory`/],
    [
      { ...withServer({ issuers: [], forward_access_token: true }), store: { path: 'x' } },
      'servers[0].issuers',
      /token of its caller, which a key is not/,
    ],
    [
      {
        ...withServer({ issuers: [], credential: { kind: 'token_exchange', issuer, client_id: 'x', client_secret: secret } }),
        store: { path: 'x' },
      },
      'servers[0].issuers',
      /token of its caller, which a key is not/,
    ],
    [
      { ...withServer({ issuers: [] }), stored_keys: false, store: { path: 'x' } },
      'servers[0].issuers',
      /none.+remove `stored_keys: false`/s,
    ],
  ],
  'what is missing': [
    [{}, 'servers', /missing/],
    [{ ...smallest, servers: [] }, 'servers', /at least 1/],
    [{ servers: [server] }, 'servers[0].issuers', /no issuer/],
    [withServer({ upstream: undefined }), 'servers[0].upstream', /missing/],
    [withServer({ path: undefined }), 'servers[0].path', /missing/],
    [{ ...smallest, servers: [{}] }, 'servers[0]', /serves nothing/],
    [withServer({ sse: {} }), 'servers[0].sse.upstream', /missing/],
    [withIssuer({ issuer: 'https://idp.example.com/a|b' }), 'issuers[0].issuer', /has a \|/],
    [withIssuer({ introspection: {} }), 'issuers[0].introspection.client_id', /missing/],
    [{ ...smallest, listen: { host: '0.0.0.0' } }, 'public_url', /missing.*beyond this machine/],
    [{ ...smallest, listen: { tls: { cert_file: 'x' } } }, 'listen.tls.key_file', /missing/],
    [{ ...smallest, cors: null }, 'cors', /empty/],
  ],
  'types and ranges': [
    [{ ...smallest, listen: { port: '8080' } }, 'listen.port', /expected a number, found a text/],
    [{ ...smallest, listen: { port: 65_536 } }, 'listen.port', /at most 65535/],
    [{ ...smallest, listen: { port: -1 } }, 'listen.port', /at least 0/],
    [{ ...smallest, listen: { port: 80.5 } }, 'listen.port', /whole number/],
    [{ ...smallest, limits: { json_depth: 1e9 } }, 'limits.json_depth', /at most/],
    [{ ...smallest, issuers: issuer }, 'issuers', /expected a list/],
    [{ ...smallest, issuers: [3] }, 'issuers[0]', /block of keys/],
    [{ ...smallest, listen: '0.0.0.0:8080' }, 'listen', /found a text.*Its keys: .*host, port/s],
    [{ ...smallest, cors: { allow_credentials: 'yes' } }, 'cors.allow_credentials', /true or false/],
    [withServer({ unlisted_operations: 'Deny' }), 'servers[0].unlisted_operations', /possible values.*deny/s],
    [withServer({ legacy_clients: 'signature-only' }), 'servers[0].legacy_clients', /signature_only/],
    [withIssuer({ clock_tolerance_seconds: 61 }), 'issuers[0].clock_tolerance_seconds', /at most 60/],
    [withIssuer({ max_lifetime_seconds: 0 }), 'issuers[0].max_lifetime_seconds', /at least/],
  ],
  'unknown keys': [
    [{ ...smallest, publc_url: 'x' }, 'publc_url', /Did you mean `public_url`/],
    [withServer({ audiance: ['x'] }), 'servers[0].audiance', /Did you mean `audience`/],
    [withServer({ upstream: { url: server.upstream, header: {} } }), 'servers[0].upstream.header', /`headers`/],
    [withServer({ rules: [{ tools: 'x', tool: 'x', scopes: [] }] }), 'servers[0].rules[0].tools', /`tool`/],
    [{ ...smallest, zzzzzz: 1 }, 'zzzzzz', /Known keys: public_url/],
    [withServer({ url: 'http://a.example/mcp' }), 'servers[0].url', /Use `upstream` instead/],
    [withServer({ command: ['node'] }), 'servers[0].command', /Use `upstream\.command` instead/],
    [{ ...smallest, mcpServers: {} }, 'mcpServers', /configuration of an MCP client.*under `servers`/s],
    [{ ...smallest, listen_port: 1 }, 'listen_port', /Go proxy.*`listen\.port`/s],
    [withServer({ identity_provider: {} }), 'servers[0].identity_provider', /is not a known key/],
    [withBroker({ scope: 'openid' }), 'identity_provider.scope', /Did you mean `scopes`/],
    [{ ...smallest, demo: {} }, 'demo', /format of the Go proxy.*`kind: asgardeo`/s],
  ],
  'URLs and paths': [
    [{ ...smallest, public_url: 'https://mcp.example.com/mcp' }, 'public_url', /`path`/],
    [{ ...smallest, public_url: 'mcp.example.com' }, 'public_url', /not an absolute/],
    [{ ...smallest, public_url: 'https://<your-host>' }, 'public_url', /placeholder in place of a host name/],
    [withServer({ upstream: 'npx -y some-mcp-server' }), 'servers[0].upstream.url', /is a command.*command: …/s],
    [withServer({ upstream: '“http://a.example/mcp”' }), 'servers[0].upstream.url', /typographic quote/],
    [withServer({ upstream: './server.sh' }), 'servers[0].upstream.url', /is a command/],
    [withServer({ path: 'mcp' }), 'servers[0].path', /slash/],
    [withServer({ path: '/mcp/' }), 'servers[0].path', /ends with a slash/],
    [withServer({ path: '/a/%2e%2e/b' }), 'servers[0].path', /more than one way/],
    [withServer({ path: '/healthz' }), 'servers[0].path', /answered by the proxy itself/],
    [withServer({ upstream: 'http://u:hunter2@localhost:8000/' }), 'servers[0].upstream.url', /user name or password/],
    [withServer({ upstream: 'http://127.0.0.1:8080/mcp' }), 'servers[0].upstream.url', /this proxy itself/],
    [{ ...smallest, issuers: ['http://idp.example.com'] }, 'issuers[0].issuer', /http/],
    [{ ...smallest, issuers: ['https://idp.example.com/?x'] }, 'issuers[0].issuer', /query/],
    [withIssuer({ jwks_uri: 'http://idp.example.com/jwks' }), 'issuers[0].jwks_uri', /internet/],
    [{ ...smallest, allowed_hosts: ['https://x'] }, 'allowed_hosts[0]', /not a host/],
    [{ ...smallest, trusted_proxies: ['10.0.0.0/40'] }, 'trusted_proxies[0]', /CIDR/],
    [{ ...smallest, cors: { allowed_origins: ['https://x/'] } }, 'cors.allowed_origins[0]', /origin/],
  ],
  'what is there twice': [
    [{ ...smallest, servers: [server, { ...server, name: 'b' }] }, 'servers[1].path', /same path as servers\[0\]\.path/],
    [withServer({ sse: { path: '/mcp', upstream: 'http://localhost:8000/sse' } }), 'servers[0].sse.path', /same path/],
    [{ ...smallest, servers: [server, { path: '/b', upstream: server.upstream, name: 'mcp' }] }, 'servers[1].name', /same name/],
    [{ ...smallest, issuers: [issuer, { issuer }] }, 'issuers[1].issuer', /twice/],
    [withServer({ scopes: ['a', 'a'] }), 'servers[0].scopes[1]', /twice/],
    [
      withServer({ upstream: { url: server.upstream, headers: { 'X-A': 'a', 'x-a': 'b' } } }),
      'servers[0].upstream.headers.x-a',
      /twice/,
    ],
  ],
  'algorithms and tokens': [
    [withIssuer({ algorithms: ['none'] }), 'issuers[0].algorithms[0]', /possible values/],
    [withIssuer({ algorithms: ['HS256'] }), 'issuers[0].algorithms[0]', /possible values/],
    [withIssuer({ algorithms: [] }), 'issuers[0].algorithms', /at least 1/],
    [withIssuer({ audience_claims: ['sub'] }), 'issuers[0].audience_claims[0]', /possible values/],
    [withServer({ audience: [''] }), 'servers[0].audience[0]', /empty/],
    [withServer({ bearer_methods: ['cookie'] }), 'servers[0].bearer_methods[0]', /header, body, query/],
    [withServer({ bearer_methods: [] }), 'servers[0].bearer_methods', /at least 1/],
  ],
  'scopes and rules': [
    [withServer({ scopes: ['a b'] }), 'servers[0].scopes[0]', /one scope/],
    [withServer({ scopes: ['offline_access'] }), 'servers[0].scopes[0]', /offline_access/],
    [withServer({ scopes_supported: ['x', 'offline_access'] }), 'servers[0].scopes_supported[1]', /offline_access/],
    [withServer({ rules: [{ tool: 'x', scopes: ['offline_access'] }] }), 'servers[0].rules[0].scopes[0]', /offline_access/],
    [withServer({ rules: [{ scopes: ['a'] }] }), 'servers[0].rules[0]', /exactly one/],
    [withServer({ rules: [{ tool: 'x', method: 'tools/call', scopes: ['a'] }] }), 'servers[0].rules[0]', /method and tool/],
    [withServer({ rules: [{ tool: 'x' }] }), 'servers[0].rules[0]', /asks for nothing/],
    [withServer({ rules: [{ path: '/other', scopes: ['a'] }] }), 'servers[0].rules[0].path', /no path of this server/],
    [withServer({ rules: [{ method: 'tools call', scopes: ['a'] }] }), 'servers[0].rules[0].method', /no method/],
    [withServer({ rules: [{ method: '*', scopes: ['a'] }] }), 'servers[0].rules[0].method', /no method/],
    [withServer({ rules: [{ resource: 'file:///a/../b', scopes: ['a'] }] }), 'servers[0].rules[0].resource', /dot segment/],
    [withServer({ scopes: ['a'], scope_hierarchy: { b: ['c'] } }), 'servers[0].scope_hierarchy.b[0]', /nothing here asks for/],
    [withServer({ scopes: ['a'], scope_hierarchy: { a: ['a'] } }), 'servers[0].scope_hierarchy.a', /includes itself/],
  ],
  'headers for the upstream': (
    [
      ['Connection', 'close', /connection or the body/],
      ['Host', 'x', /connection or the body/],
      ['content-length', '3', /connection or the body/],
      ['Mcp-Session-Id', 'x', /between client and MCP server/],
      ['X-Forwarded-For', 'x', /between client and MCP server/],
      ['a b', 'x', /not a header name/],
      ['X-A', 'a\r\nX-B: b', /no header can have/],
      ['X-A', ' a', /no header can have/],
      ['X-A', '', /no header can have/],
      ['X-A', 'ł', /no header can have/],
      ['Authorization', 'Bearer hunter2', /is a secret in plain text/],
      ['X-Api-Key', 'hunter2', /is a secret in plain text/],
    ] as const
  ).map(([name, value, said]) => [
    withServer({ upstream: { url: server.upstream, headers: { [name]: value } } }),
    `servers[0].upstream.headers${/^[\w-]+$/.test(name) ? `.${name}` : `["${name}"]`}`,
    said,
  ]),
  'the broker': [
    [{ ...smallest, broker: {} }, 'identity_provider', /`broker` needs it/],
    [withBroker({ issuer: undefined }), 'identity_provider', /neither `issuer` nor `oauth`/],
    [withBroker({ oauth: plainOAuth }), 'identity_provider', /both `issuer` and `oauth`/],
    [withBroker({ issuer: 'http://idp.example.com' }), 'identity_provider.issuer', /http/],
    [withBroker({ kind: 'entraid' }), 'identity_provider.kind', /asgardeo/],
    [withBroker({ kind: 'github' }), 'identity_provider.issuer', /no use with `kind: github`/],
    [withBroker({ kind: 'okta', issuer: undefined }), 'identity_provider.domain', /`kind: okta` needs it/],
    [withBroker({ kind: 'okta', issuer: undefined, domain: 'https://a.okta.com' }), 'identity_provider.domain', /Leave out/],
    [withBroker({ kind: 'keycloak', issuer: undefined, realm: 'a' }), 'identity_provider.base_url', /`issuer` will do/],
    [withBroker({ kind: 'keycloak', issuer: undefined, realm: 'a/b' }), 'identity_provider.realm', /cannot be part of a URL/],
    [withBroker({ kind: 'entra', issuer: undefined, tenant: 'organizations' }), 'identity_provider.tenant', /every organization/],
    [
      withBroker({ kind: 'google', domain: 'a.example', allow: [{ claim: 'sub', values: ['1'] }] }),
      'identity_provider.allow',
      /`domain`/,
    ],
    [
      withBroker({ allow: [{ claim: 'email', values: ['a.example'] }] }),
      'identity_provider.allow[0].values[0]',
      /not an email address/,
    ],
    [
      withBroker({ grant: [{ claim: 'email_domain', values: ['@a.example'], scopes: ['a'] }] }),
      'identity_provider.grant[0].values[0]',
      /has an @/,
    ],
    [withBroker({ realm: 'a' }), 'identity_provider.realm', /no use with `kind: oidc`/],
    [withBroker({ client_secret: 'hunter2' }), 'identity_provider.client_secret', /is a secret in plain text/],
    [
      withBroker({ client_authentication: 'client_secret_post' }),
      'identity_provider.client_secret',
      /`client_secret_post` needs it/,
    ],
    [withBroker({ client_secret: { env: 'A' }, client_authentication: 'none' }), 'identity_provider.client_secret', /no use/],
    [withBroker({ grant: [{ claim: 'groups', scopes: ['a'] }] }), 'identity_provider.grant[0]', /only one of/],
    [withBroker({ grant: [{ scopes: [] }] }), 'identity_provider.grant[0].scopes', /at least 1/],
    [withBroker({ allow: [{ claim: 'groups', values: [] }] }), 'identity_provider.allow[0].values', /at least 1/],
    [withServer({ credential: 'identity_provider_token' }), 'servers[0].credential', /needs an `identity_provider`/],
    [withServer({ credential: 'token_exchnage' }), 'servers[0].credential.kind', /token_exchange/],
    [withServer({ credential: 'token_exchange' }), 'servers[0].credential.client_id', /is missing/],
    [withServer({ credential: { kind: 'token_exchange', client_id: 'p' } }), 'servers[0].credential.client_secret', /needs it/],
    [withServer({ credential: 'own_account' }), 'servers[0].credential', /needs an `identity_provider`/],
    [
      withServer({ credential: { kind: 'own_account', client_id: 'p' } }),
      'servers[0].credential.issuer',
      /one authorization server/,
    ],
    [
      withServer({ credential: { kind: 'own_account', client_secret: { env: 'A' } } }),
      'servers[0].credential.client_id',
      /is missing/,
    ],
    [
      withServer({ credential: { kind: 'own_account', token_endpoint: 'https://a.example/token' } }),
      'servers[0].credential.token_endpoint',
      /no use with/,
    ],
    [
      withServer({ credential: 'own_account', sse: { upstream: 'http://localhost:1/sse' } }),
      'servers[0].sse',
      /own_account`: .*could not be asked.*\n.*Streamable HTTP/,
    ],
    [
      withServer({ credential: 'own_account', upstream: { url: 'http://localhost/mcp', socket: '/run/mcp.sock' } }),
      'servers[0].upstream.socket',
      /not supported with `own_account`/,
    ],
    [withCredential({ kind: 'client_credentials' }), 'servers[0].credential.issuer', /is missing/],
    [withCredential({ kind: 'on_behalf_of' }), 'servers[0].credential.scopes', /`on_behalf_of` needs it/],
    [withCredential({ kind: 'on_behalf_of', scopes: ['a'], audience: ['b'] }), 'servers[0].credential.audience', /no use with/],
    [withCredential({ kind: 'identity_assertion', issuer }), 'servers[0].credential.identity_provider', /client with a secret/],
    [
      withCredential({ kind: 'identity_assertion', issuer, identity_provider: { client_id: 'a', client_secret: { env: 'A' } } }),
      'servers[0].credential.identity_provider.issuer',
      /is missing/,
    ],
    [withCredential({ kind: 'token_exchange', client_secret: 'hunter2' }), 'servers[0].credential.client_secret', /plain text/],
    [withServer({ credential: { kind: 'none', scopes: ['a'] } }), 'servers[0].credential.scopes', /no use with `kind: none`/],
    [withServer({ credential: 'access_token', forward_access_token: true }), 'servers[0].credential', /Authorization header/],
    [
      withServer({ credential: 'access_token', upstream: { command: 'server' } }),
      'servers[0].credential',
      /no use beside `command`/,
    ],
    [
      withServer({ forward_access_token: true, upstream: { command: 'server' } }),
      'servers[0].forward_access_token',
      /no use beside `command`/,
    ],
    [
      withCredential(
        { kind: 'token_exchange' },
        { upstream: { url: 'http://localhost:1/mcp', headers: { Authorization: { env: 'A' } } } },
      ),
      'servers[0].upstream.headers.Authorization',
      /one of the two only/,
    ],
    [
      { ...withCredential({ kind: 'token_exchange' }), issuers: [issuer, 'https://two.example.com'] },
      'servers[0].credential.issuer',
      /is missing/,
    ],
    [withBroker({}, {}), 'encryption_keys', /is missing/],
    [withBroker({}, { store: { kind: 'redis' } }), 'broker.store.url', /`kind: redis` needs it/],
    [withBroker({}, { store: { kind: 'redis', url: 'redis://:x@host' } }), 'broker.store.url', /holds credentials.+`password`/s],
    [withBroker({}, { store: { kind: 'memory', path: 'x.db' } }), 'broker.store.path', /no use/],
    ...(
      [
        [{ url: 'redis://a', sentinel: { urls: ['redis://b'], master: 'm' } }, 'sentinel', /together with `url`/],
        [{ cluster: { urls: [] } }, 'cluster.urls', /at least 1/],
        [{ cluster: { urls: ['redis://a', 'rediss://b'] } }, 'cluster.urls', /both redis:\/\/ and rediss/],
        [{ cluster: { urls: ['redis://a/1'] } }, 'cluster.urls[0]', /names a database/],
        [{ cluster: { urls: ['redis://a'] }, prefix: 'a{}' }, 'prefix', /spread the store/],
        [{ sentinel: { urls: ['redis://a'] } }, 'sentinel.master', /is missing/],
        [{ url: 'redis://a/x' }, 'url', /path that is no number of a database/],
        [{ url: 'localhost:6379' }, 'url', /does not begin with redis:\/\/ or rediss:\/\//],
        [{ url: 'redis://' }, 'url', /names no host/],
        [{ url: 'redis://010.0.0.1:6379' }, 'url', /address that not all programs read/],
        [{ cluster: { urls: ['rediss://10.1/'] } }, 'cluster.urls[0]', /address that not all programs read/],
        [{ sentinel: { urls: ['redis://0x7f.0.0.1'], master: 'm' } }, 'sentinel.urls[0]', /address that not all programs read/],
        [{ url: 'redis://:6379' }, 'url', /names no host/],
        [{ url: 'redis://a:70000' }, 'url', /has a port that is none/],
        [{ url: 'redis://a^b' }, 'url', /has a host that is none/],
        [{ url: 'redis://a b' }, 'url', /has blanks/],
        [{ url: 'redis://a?db=1' }, 'url', /has a query/],
        [{ sentinel: { urls: ['s1:26379'], master: 'm' } }, 'sentinel.urls[0]', /does not begin .+:26379/s],
        [{ cluster: { urls: ['n1:6379'] } }, 'cluster.urls[0]', /does not begin .+:6379/s],
        [{ url: 'redis://a', master_name: 'm' }, 'master_name', /Use `sentinel.master`/],
        [{ url: 'redis://a', db: 1 }, 'db', /Use `url`/],
        [{ sentinel: { urls: ['redis://a'], master: 'm', master_name: 'm' } }, 'sentinel.master_name', /Use `master`/],
        [{ url: 'rediss://a', tls: { insecure_skip_verify: true } }, 'tls.insecure_skip_verify', /always verified.+`ca_file`/s],
        [{ url: 'redis://a', username: 'mcp' }, 'password', /is missing.+`username`/],
        [{ sentinel: { urls: ['redis://a'], master: 'm', username: 'mcp' } }, 'sentinel.password', /is missing.+`username`/],
        [{ url: 'redis://a', tls: { ca_file: 'ca.pem' } }, 'tls', /no use with "redis:\/\/a"/],
        [{ url: 'rediss://a', tls: { cert_file: 'cert.pem' } }, 'tls.key_file', /is missing/],
        [{ url: 'redis://a', wait_for_replicas: 11 }, 'wait_for_replicas', /10/],
      ] as const
    ).map(([store, at, said]): [unknown, string, RegExp] => [
      withBroker({}, { store: { kind: 'redis', ...store } }),
      `broker.store.${at}`,
      said,
    ]),
    [withBroker({}, { store: { kind: 'memory', wait_for_replicas: 1 } }), 'broker.store.wait_for_replicas', /no use/],
    [withClient(client, client), 'broker.clients[1].client_id', /twice/],
    [withClient({ ...machine, client_secret: undefined }), 'broker.clients[0].grants', /clients that show who they are/],
    [
      withClient({ ...machine, jwks_uri: 'https://client.example/keys' }),
      'broker.clients[0].jwks_uri',
      /excludes `client_secret`/,
    ],
    [withClient({ ...machine, jwks_uri: 'http://client.example/keys' }), 'broker.clients[0].jwks_uri', /http/],
    [withClient({ ...machine, redirect_uris: client.redirect_uris }), 'broker.clients[0].redirect_uris', /no use without/],
    [withClient({ ...client, redirect_uris: ['http://client.example/cb'] }), 'broker.clients[0].redirect_uris[0]', /no address/],
    [withClient({ ...client, redirect_uris: ['javascript:alert(1)'] }), 'broker.clients[0].redirect_uris[0]', /no address/],
    [withClient({ client_id: 'c' }), 'broker.clients[0].redirect_uris', /`authorization_code` needs it/],
    [withClient({ ...machine, servers: ['nowhere'] }), 'broker.clients[0].servers[0]', /name of no server/],
    [withClient({ ...machine, grants: ['password'] }), 'broker.clients[0].grants[0]', /client_credentials/],
    [withClient({ ...machine, grants: [] }), 'broker.clients[0].grants', /at least 1/],
    [
      withClient({ ...machine, grants: ['jwt_bearer'] }),
      'broker.clients[0].grants',
      /needs `broker.identity_assertions.issuers`/,
    ],
    [withAssertions([issuer]), 'broker.identity_assertions.issuers', /no client has the grant/],
    [withAssertions([issuer, issuer], agent), 'broker.identity_assertions.issuers[1].issuer', /listed twice/],
    [
      withAssertions([{ issuer, introspection: { client_id: 'x', client_secret: secret } }], agent),
      'broker.identity_assertions.issuers[0].introspection',
      /no use/,
    ],
    [
      { ...withAssertions(['https://mcp.example.com'], agent), public_url: 'https://mcp.example.com' },
      'broker.identity_assertions.issuers[0].issuer',
      /this proxy itself/,
    ],
    [
      withBroker({}, { store: { kind: 'memory' }, token_exchange: { issuers: ['http://idp.example.com'] } }),
      'broker.token_exchange.issuers[0].issuer',
      /http/,
    ],
    [{ ...withBroker({}), public_url: 'http://mcp.example.com' }, 'public_url', /users sign in/],
    [{ ...withBroker({}), servers: [{ ...server, path: '/token' }] }, 'servers[0].path', /sign users in \(\/token\)/],
    [{ ...withBroker({}), servers: [{ ...server, path: '/sign-in/mcp' }] }, 'servers[0].path', /sign users in/],
  ],
  'what is passed on': [
    [withRewrite({ issuer: 'https://other.example.com' }), 'rewrite.issuer', /not the only one of `issuers`/],
    [withRewrite({ token_endpoint: 'http://localhost:8080/token' }), 'rewrite.token_endpoint', /this proxy itself/],
    [withRewrite({ token_endpoint: 'http://idp.example.com/token' }), 'rewrite.token_endpoint', /http/],
    [withRewrite({ redirect_uris: ['javascript:alert(1)'] }), 'rewrite.redirect_uris[0]', /no redirect URI that can be used/],
    [withRewrite({ metadata: { issuer: 'x' } }), 'rewrite.metadata.issuer', /filled in/],
    [withRewrite({ registration_parameters: { a: 'b' } }), 'rewrite.registration_parameters', /without `registration_endpoint`/],
    [{ ...withRewrite({}), identity_provider: withBroker({}).identity_provider }, 'rewrite', /excludes `identity_provider`/],
    [{ ...withRewrite({}), servers: [{ ...server, path: '/token' }] }, 'servers[0].path', /passes on/],
  ],
  'combinations that cannot work': [
    [{ ...smallest, cors: { allowed_origins: ['*'], allow_credentials: true } }, 'cors.allow_credentials', /every page/],
    [{ ...smallest, admin: { port: 8080 } }, 'admin.port', /is the port of clients, too \(`listen\.port`: 8080\)/],
    [{ ...smallest, admin: { port: 1, allowed_hosts: ['*'] } }, 'admin.allowed_hosts[0]', /every web page/],
    [{ ...smallest, admin: { port: 1, token: 'x' } }, 'admin.token', /secret in plain text/],
    [{ ...smallest, audit: {} }, 'audit', /says nowhere that records go/],
    [{ ...smallest, audit: { file: 'audit.jsonl', stdout: true } }, 'audit.stdout', /cannot be combined with `file`/],
    [{ ...smallest, audit: { file: '/no/such/folder/audit.jsonl' } }, 'audit.file', /"\/no\/such\/folder" cannot be written/],
    [{ ...smallest, audit: { file: '/' } }, 'audit.file', /is not a file/],
    [{ ...smallest, audit: { stdout: true, chain: { key: { env: 'SECRET' } } } }, 'audit.chain', /needs a `file`/],
    [{ ...smallest, session_key: { env: 'A', file: 'b' } }, 'session_key', /either `env` or `file`/],
    [withIssuer({ introspection: { client_id: 'x' } }), 'issuers[0].introspection.client_secret', /needs it/],
    [
      withIssuer({ introspection: { client_id: 'x', client_authentication: 'private_key_jwt' } }),
      'issuers[0].introspection.private_key',
      /needs it/,
    ],
  ],
}

describe.each(Object.entries(mistakes))('a mistake of the configuration: %s', (_, cases) => {
  it.each(cases)('%#: %j', (value, path, said) => {
    const problem = problemsOf(value).find((candidate) => candidate.path === path)
    expect(problem && formatProblem(problem)).toMatch(said)
    expect(problem?.fix).toMatch(/\.$|\?$|`\.?$/)
  })
})

describe('mistakes', () => {
  it.each([
    [{ publc_url: 'https://mcp.example.com', listen: { host: '0.0.0.0' }, ...smallest }, ['publc_url']],
    [{ ...smallest, servers: [{ path: '/mcp', upstrem: 'http://localhost:8000' }] }, ['servers[0].upstrem']],
    [{ issurs: [issuer], servers: [server] }, ['issurs']],
    [{ issuers: [issuer], severs: [server] }, ['severs']],
    // What is there in spite of the slip is still checked.
    [{ ...smallest, public_url: 'http://x/y', publc_url: 'x' }, ['public_url', 'publc_url']],
  ])('do not come twice of one slip: %j', (value, places) => {
    expect(
      problemsOf(value)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([...places].sort())
  })

  it('are told all at once: unknown keys, types, formats, combinations and missing secrets', () => {
    const value = {
      publc_url: 'x',
      listen: { host: '0.0.0.0', port: 'eighty' },
      session_key: { env: 'NOT_SET' },
      issuers: ['http://idp.example.com', { issuer: 7 }],
      servers: [
        { path: '/a', upstream: 'ftp://x', scopes: ['b c'], rules: [{ scopes: 'x' }] },
        {
          path: '/a',
          upstream: { url: 'http://localhost:8000', headers: { Authorization: { env: 'ALSO_NOT_SET' } } },
          forward_access_token: true,
        },
        { sse: { upstream: 'http://localhost:8000/sse' }, unlisted_operations: 'allow' },
      ],
    }
    expect(
      problemsOf(value)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(
      [
        'issuers[0].issuer',
        'issuers[1].issuer',
        'listen.port',
        'publc_url',
        'servers[0].rules[0]',
        'servers[0].rules[0].scopes',
        'servers[0].scopes[0]',
        'servers[0].upstream.url',
        'servers[1].path',
        'servers[1].name',
        'servers[1].upstream.headers.Authorization',
        'servers[1].upstream.headers.Authorization.env',
        'servers[2].unlisted_operations',
        'session_key.env',
      ].sort(),
    )
  })

  it('are not invented for what stands where something unreadable is', () => {
    const paths = problemsOf({
      public_url: 7,
      listen: { host: '0.0.0.0' },
      issuers: 7,
      servers: [{ path: 7, upstream: 7, sse: 7 }],
    }).map(({ path }) => path)
    expect(paths.sort()).toEqual(['issuers', 'public_url', 'servers[0].path', 'servers[0].sse', 'servers[0].upstream'])
  })

  it.each([[null], [7], ['text'], [[]], [true], [undefined]])(
    'are found in something that is no configuration at all: %j',
    (value) => {
      expect(problemsOf(value)).toHaveLength(1)
    },
  )

  it('never repeat a secret', () => {
    const literal = 'hunter2-is-my-secret'
    const value = {
      session_key: literal,
      issuers: [
        { issuer, introspection: { client_id: 'x', client_secret: literal, private_key: [literal] } },
        `https://x:${literal}@idp.example.com`,
      ],
      servers: [
        {
          path: '/mcp',
          upstream: { url: `http://x:${literal}@localhost`, headers: { 'X-Token': literal, Cookie: { text: literal } } },
        },
      ],
    }
    const problems = problemsOf(value)
    expect(problems.length).toBeGreaterThanOrEqual(6)
    expect(JSON.stringify(problems)).not.toContain(literal)
    expect(new ConfigError(problems).message).not.toContain(literal)
  })

  it('keep to a line each, however long and strange what was written', () => {
    const value = {
      ...smallest,
      [`evil\n\u001b[31m${'x'.repeat(500)}`]: 1,
      servers: [{ ...server, path: `a\n${'y'.repeat(5000)}` }],
    }
    for (const problem of problemsOf(value)) {
      expect(formatProblem(problem).split('\n')).toHaveLength(3)
      expect(formatProblem(problem)).not.toContain('\u001b')
      expect(formatProblem(problem).length).toBeLessThan(600)
    }
  })
})

describe('a token that is forwarded', () => {
  it('leaves no room for another credential', () => {
    const upstream = { url: server.upstream, headers: { authorization: secret } }
    const problems = problemsOf(withServer({ upstream, forward_access_token: true }))
    expect(problems.map(({ reason }) => reason)).toContainEqual(
      expect.stringMatching(/cannot be set while `forward_access_token`/),
    )
  })
})
