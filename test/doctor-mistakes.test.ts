import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { examine } from '../src/doctor/doctor.ts'
import type { Verdict } from '../src/doctor/finding.ts'
import { createCertificate } from './support/certificate.ts'
import { type DoctorStage, openDoctorStage, serve, spoilMetadata } from './support/doctor-stage.ts'
import { answerJson } from './support/recording-upstream.ts'
import { type IssuerOptions, startIssuer } from './support/tokens.ts'

/** One thing that is wrong on a stage where everything else is right. */
interface Mistake {
  readonly name: string
  readonly issuer?: IssuerOptions
  /** Spoils something that runs. */
  readonly plant?: (stage: DoctorStage) => unknown
  /** Members of the configuration, for the doctor and for the proxy that runs. */
  readonly config?: (stage: DoctorStage) => Partial<ConfigInput>
  /** Members for the proxy that runs alone; `false`: none runs. */
  readonly running?: false | ((stage: DoctorStage) => Partial<ConfigInput>)
  readonly token?: (stage: DoctorStage) => string | Promise<string>
  readonly finds: string
  /** Default: problem. */
  readonly verdict?: Verdict
  readonly fix: RegExp
}

const page = (response: ServerResponse, status = 200) =>
  response.writeHead(status, { 'content-type': 'text/html' }).end('<title>Sign in</title>')

const weakKey = {
  kty: 'RSA',
  kid: 'weak',
  e: 'AQAB',
  n: Buffer.concat([Buffer.of(0xc1), Buffer.alloc(127, 0x5b)]).toString('base64url'),
}

const upstreamOf = ({ upstream }: DoctorStage) => ({ servers: [serve(`${upstream.origin}/mcp`)] })
const redirect = (location: string) => (stage: DoctorStage) =>
  stage.upstream.answerWith((_, response) => void response.writeHead(307, { location }).end())

function answerBehindSlash({ url }: { readonly url: string }, response: ServerResponse): void {
  if (url === '/mcp') response.writeHead(307, { location: '/mcp/' }).end()
  else {
    const result = { protocolVersion: '2025-11-25', serverInfo: { name: 'x', version: '1' }, capabilities: {} }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }))
  }
}

const ofIssuer: Mistake[] = [
  {
    name: 'the issuer is down',
    plant: ({ issuer }) => issuer.setOutage('refuse'),
    finds: 'issuer_metadata_missing',
    fix: /that the program is running/,
  },
  {
    name: 'the issuer is written with a slash too few',
    plant: ({ issuer }) => spoilMetadata(issuer, { issuer: `${issuer.issuer}/` }),
    finds: 'issuer_mismatch',
    fix: /write "http:\/\/127\.0\.0\.1:\d+\/" as issuer/,
  },
  {
    name: 'the path of the issuer is forgotten',
    issuer: { path: '/realms/main' },
    config: ({ issuer }) => ({ issuers: [new URL(issuer.issuer).origin] }),
    finds: 'issuer_metadata_missing',
    fix: /realm, tenant.* belongs to it/,
  },
  {
    name: 'a hotel network answers for the issuer',
    plant: ({ issuer }) => issuer.setOutage('html'),
    finds: 'issuer_metadata_missing',
    fix: /Something else answers there/,
  },
  {
    name: 'the metadata of the issuer is elsewhere',
    plant: ({ issuer }) => issuer.setOutage('redirect'),
    finds: 'issuer_metadata_missing',
    fix: /no MCP client follows it/,
  },
  {
    name: 'the issuer has PKCE without S256',
    plant: ({ issuer }) => spoilMetadata(issuer, { code_challenge_methods_supported: ['plain'] }),
    finds: 'pkce_without_s256',
    fix: /Permit the PKCE method S256/,
  },
  {
    name: 'the issuer does not announce PKCE',
    plant: ({ issuer }) => spoilMetadata(issuer, { code_challenge_methods_supported: undefined }),
    finds: 'pkce_not_announced',
    verdict: 'warning',
    fix: /use the broker/,
  },
  {
    name: 'the issuer does not announce the code flow',
    plant: ({ issuer }) => spoilMetadata(issuer, { response_types_supported: undefined }),
    finds: 'response_type_missing',
    fix: /authorization code flow/,
  },
  {
    name: 'the issuer has no authorization endpoint',
    plant: ({ issuer }) => spoilMetadata(issuer, { authorization_endpoint: undefined }),
    finds: 'endpoint_missing',
    fix: /authorization code flow/,
  },
  {
    name: 'the token endpoint of the issuer is http',
    plant: ({ issuer }) => spoilMetadata(issuer, { token_endpoint: 'http://idp.example.com/token' }),
    finds: 'endpoint_insecure',
    fix: /over https/,
  },
  {
    name: 'clients cannot register',
    plant: ({ issuer }) =>
      spoilMetadata(issuer, { registration_endpoint: undefined, client_id_metadata_document_supported: undefined }),
    finds: 'registration_missing',
    verdict: 'warning',
    fix: /broker/,
  },
  {
    name: 'metadata documents are for confidential clients only',
    plant: ({ issuer }) => spoilMetadata(issuer, { token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
    finds: 'documents_without_public_clients',
    verdict: 'warning',
    fix: /`none`/,
  },
  {
    name: 'the authorization endpoint has a query',
    plant: ({ issuer }) => spoilMetadata(issuer, { authorization_endpoint: `${issuer.issuer}/authorize?audience=mcp` }),
    finds: 'authorization_endpoint_query',
    verdict: 'warning',
    fix: /authorization_parameters/,
  },
  {
    name: 'the issuer does not know the scope',
    plant: ({ issuer }) => spoilMetadata(issuer, { scopes_supported: ['openid'] }),
    finds: 'scope_unknown',
    verdict: 'warning',
    fix: /Create the scope/,
  },
  {
    name: 'the OpenID Connect metadata is incomplete',
    issuer: { discovery: 'openid-appended' },
    plant: ({ issuer }) => spoilMetadata(issuer, { subject_types_supported: undefined }),
    finds: 'openid_members_missing',
    fix: /complete OpenID Connect metadata/,
  },
  {
    name: 'the keys are not where the metadata says',
    plant: ({ issuer }) => spoilMetadata(issuer, { jwks_uri: `${issuer.issuer}/keys` }),
    finds: 'keys_unreachable',
    fix: /letter by letter/,
  },
  {
    name: 'the metadata names no keys',
    plant: ({ issuer }) => spoilMetadata(issuer, { jwks_uri: undefined }),
    finds: 'keys_unnamed',
    fix: /jwks_uri/,
  },
  { name: 'a key is too weak', plant: ({ issuer }) => issuer.publish([weakKey]), finds: 'key_unusable', fix: /2048 bits/ },
  {
    name: 'the configuration accepts other algorithms than the keys have',
    config: ({ issuer }) => ({ issuers: [{ issuer: issuer.issuer, algorithms: ['ES256'] }] }),
    finds: 'algorithms_disjoint',
    fix: /Add RS256 to `algorithms`/,
  },
  {
    name: 'the clock of this machine is wrong',
    plant: ({ issuer }) => issuer.setHeaders({ date: new Date(Date.now() + 300_000).toUTCString() }),
    finds: 'clock_skew',
    fix: /NTP/,
  },
  {
    name: 'the secret for introspection is wrong',
    plant: ({ issuer }) => issuer.setIntrospection(() => 401),
    config: introspecting,
    finds: 'introspection_fails',
    fix: /client_secret/,
  },
  {
    name: 'the introspection endpoint accepts anything',
    plant: ({ issuer }) => issuer.setIntrospection(() => ({ active: true })),
    config: introspecting,
    finds: 'introspection_accepts_all',
    fix: /RFC 7662/,
  },
]

function introspecting({ issuer }: DoctorStage): Partial<ConfigInput> {
  return { issuers: [{ issuer: issuer.issuer, introspection: { client_id: 'proxy', client_secret: { env: 'SECRET' } } }] }
}

const minted =
  (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  ({ issuer, front }: DoctorStage) =>
    issuer.mint({ claims: { aud: `${front.origin}/mcp`, ...claims }, header })

const ofToken: Mistake[] = [
  {
    name: 'the token is for another audience',
    token: minted({ aud: 'https://api.example.com' }),
    finds: 'token_audience_mismatch',
    fix: /is for "https:\/\/api\.example\.com".*`audience`/,
  },
  {
    name: 'the token names its client only',
    token: minted({ aud: undefined }),
    finds: 'token_audience_mismatch',
    fix: /audience_claims: \[aud, client_id\]/,
  },
  { name: 'the token is over', token: minted({ exp: 1_700_000_000 }), finds: 'token_expired', fix: /compare the clocks/ },
  {
    name: 'the token is over, and accepted because clocks may differ',
    token: ({ issuer, front }) =>
      issuer.mint({ claims: { aud: `${front.origin}/mcp`, exp: Math.floor(Date.now() / 1000) - 20 } }),
    finds: 'token_ended',
    verdict: 'warning',
    fix: /Get a new one/,
  },
  {
    name: 'the token is of another issuer',
    token: minted({ iss: 'https://other.example.com' }),
    finds: 'token_issuer_unknown',
    fix: /names "https:\/\/other\.example\.com"; this server accepts/,
  },
  { name: 'the token lacks the scope', token: minted({ scope: 'openid' }), finds: 'token_scopes', fix: /scope_claims/ },
  { name: 'the token is an ID token', token: minted({ nonce: 'n' }, { typ: 'JWT' }), finds: 'token_type_wrong', fix: /ID token/ },
  { name: 'the token is opaque', token: () => 'an-opaque-token-of-somebody', finds: 'token_invalid', fix: /Set `introspection`/ },
  {
    name: 'the token is signed by somebody else',
    token: async (stage) => {
      const other = await startIssuer()
      const token = await other.mint({
        claims: { iss: stage.issuer.issuer, aud: `${stage.front.origin}/mcp` },
        header: { kid: stage.issuer.signingKey.kid },
      })
      await other.close()
      return token
    },
    finds: 'token_invalid',
    fix: /The log line names the check that failed/,
  },
]

const ofPublicUrl: Mistake[] = [
  {
    name: 'the public URL leads to nobody',
    config: () => ({ public_url: 'http://localhost:1' }),
    finds: 'public_url_elsewhere',
    fix: /Correct `public_url`/,
  },
  {
    name: 'the load balancer does not reach the proxy',
    plant: ({ front }) => front.lead('http://127.0.0.1:1'),
    finds: 'public_url_fails',
    fix: /check its target/,
  },
  {
    name: 'the load balancer redirects',
    plant: ({ front }) =>
      front.spoil(({ url }, response) => Boolean(response.writeHead(308, { location: `https://localhost${url}` }).end())),
    finds: 'public_url_redirects',
    fix: /without a redirect/,
  },
  {
    name: 'a login page stands before the proxy',
    plant: ({ front }) => front.spoil((_, response) => Boolean(page(response))),
    finds: 'public_url_page',
    fix: /let requests for this path through/,
  },
  {
    name: 'the public URL leads to the MCP server',
    plant: ({ front, upstream }) => front.lead(upstream.origin),
    finds: 'public_url_open',
    fix: /Point the public URL to the proxy/,
  },
  {
    name: 'the load balancer eats the challenge',
    plant: ({ front }) => front.change((headers) => delete headers['www-authenticate']),
    finds: 'challenge_missing',
    fix: /removes the header/,
  },
  {
    name: 'the load balancer asks for credentials of its own',
    plant: ({ front }) =>
      front.spoil((_, response) => Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="staging"' }).end())),
    finds: 'challenge_foreign',
    fix: /exempt this path/,
  },
  {
    name: 'another configuration runs',
    running: ({ port }) => ({ public_url: `http://localhost:${port}`, allowed_hosts: ['*'] }),
    finds: 'challenge_elsewhere',
    fix: /restart it with this configuration/,
  },
  {
    name: 'the proxy that runs does not know the host',
    running: () => ({ public_url: 'https://mcp.example.com', listen: { host: '127.0.0.1', port: 0 } }),
    plant: ({ front }) =>
      front.spoil((_, response) =>
        Boolean(
          response.writeHead(403, { 'content-type': 'application/json' }).end('{"error":{"data":{"error":"host_denied"}}}'),
        ),
      ),
    finds: 'host_denied',
    fix: /allowed_hosts/,
  },
  {
    name: 'another path runs',
    running: ({ mcpServer }) => ({ servers: [{ ...serve(mcpServer.streamableHttpUrl), path: '/other' }] }),
    finds: 'public_url_other',
    fix: /check the path/,
  },
  {
    name: 'other issuers run',
    running: () => ({ issuers: ['https://idp.example.com'] }),
    finds: 'issuers_differ',
    fix: /Restart the proxy/,
  },
  {
    name: 'the load balancer keeps /.well-known to itself',
    plant: ({ front }) =>
      front.spoil(({ url }, response) => Boolean(url?.startsWith('/.well-known') && response.writeHead(404).end())),
    finds: 'resource_metadata_missing',
    fix: /without authentication/,
  },
  {
    name: 'the metadata is for another URL',
    plant: ({ front }) =>
      front.spoil(({ url }, response) =>
        Boolean(
          url?.startsWith('/.well-known') &&
            response.writeHead(200, { 'content-type': 'application/json' }).end('{"resource":"https://mcp.example.com"}'),
        ),
      ),
    finds: 'resource_differs',
    fix: /`public_url` or `path`/,
  },
  {
    name: 'the load balancer answers preflights itself',
    plant: ({ front }) => front.spoil(({ method }, response) => Boolean(method === 'OPTIONS' && response.writeHead(405).end())),
    finds: 'cors_preflight',
    fix: /let it through/,
  },
  {
    name: 'the load balancer removes a CORS header',
    plant: ({ front }) => front.change((headers) => delete headers['access-control-allow-headers']),
    finds: 'cors_preflight',
    fix: /add or remove/,
  },
  {
    name: 'the load balancer compresses what nobody asked for',
    plant: ({ front }) => front.change((headers) => Object.assign(headers, { 'content-encoding': 'gzip' })),
    finds: 'public_url_unreadable',
    fix: /pass them unchanged/,
  },
  {
    name: 'the load balancer does not know HEAD',
    plant: ({ front }) => front.spoil(({ method }, response) => Boolean(method === 'HEAD' && response.writeHead(405).end())),
    finds: 'head_changed',
    verdict: 'warning',
    fix: /HEAD requests/,
  },
  {
    name: 'the certificate is over',
    config: (stage) => withTls(stage, -60),
    finds: 'certificate_invalid',
    fix: /Renew the certificate|public authority/,
  },
  {
    name: 'nobody trusts the certificate',
    config: (stage) => withTls(stage, 3600),
    finds: 'certificate_invalid',
    fix: /public authority/,
  },
  {
    name: 'the public URL is http',
    config: () => ({ public_url: 'http://mcp.invalid' }),
    running: false,
    finds: 'public_url_insecure',
    fix: /https in `public_url`/,
  },
]

function withTls({ folder, port }: DoctorStage, endsIn: number): Partial<ConfigInput> {
  const { cert, key } = createCertificate({ endsIn })
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key)
  return { public_url: `https://localhost:${port}`, listen: { port, tls: { cert_file: 'cert.pem', key_file: 'key.pem' } } }
}

const ofUpstream: Mistake[] = [
  {
    name: 'the MCP server does not run',
    config: () => ({ servers: [serve('http://127.0.0.1:1/mcp')] }),
    finds: 'upstream_unreachable',
    fix: /that the program is running/,
  },
  {
    name: 'the MCP server wants a final slash',
    config: upstreamOf,
    plant: redirect('/mcp/'),
    finds: 'upstream_redirects',
    fix: /Write `upstream: http:\/\/127\.0\.0\.1:\d+\/mcp\/`.*or `follow_slash_redirects: true`/,
  },
  {
    name: 'the MCP server wants a final slash, and the proxy follows it with each call',
    config: ({ upstream }) => ({ servers: [serve({ url: `${upstream.origin}/mcp`, follow_slash_redirects: true })] }),
    plant: ({ upstream }) => upstream.answerWith(answerBehindSlash),
    verdict: 'warning',
    finds: 'upstream_slash',
    fix: /Write `upstream: http:\/\/127\.0\.0\.1:\d+\/mcp\/`/,
  },
  {
    name: 'the MCP server wants https',
    config: upstreamOf,
    plant: (stage) => redirect(`https://127.0.0.1:${stage.upstream.port}/mcp`)(stage),
    finds: 'upstream_redirects',
    fix: /Write `upstream: https:/,
  },
  {
    name: 'the MCP server sends people to a login',
    config: upstreamOf,
    plant: redirect('https://sso.example.com/login?next=1'),
    finds: 'upstream_redirects',
    fix: /login page/,
  },
  {
    name: 'the MCP server is a web site',
    config: upstreamOf,
    plant: ({ upstream }) => upstream.answerWith((_, response) => void page(response)),
    finds: 'upstream_page',
    fix: /with its path/,
  },
  {
    name: 'the MCP server wants a credential',
    config: upstreamOf,
    plant: ({ upstream }) =>
      upstream.answerWith((_, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()),
    finds: 'upstream_wants_credential',
    fix: /upstream\.headers/,
  },
  {
    name: 'the path of the MCP server is wrong',
    config: ({ mcpServer }) => ({ servers: [serve(`${new URL(mcpServer.streamableHttpUrl).origin}/nowhere`)] }),
    finds: 'upstream_path',
    fix: /FastMCP uses \/mcp/,
  },
  {
    name: 'the MCP server guards against DNS rebinding',
    config: upstreamOf,
    plant: ({ upstream }) => upstream.answerWith((_, response) => void response.writeHead(421).end('Invalid Host header')),
    finds: 'upstream_refuses_host',
    fix: /allowed hosts/,
  },
  {
    name: 'the MCP server fails',
    config: upstreamOf,
    plant: ({ upstream }) => upstream.answerWith((_, response) => void response.writeHead(500).end()),
    finds: 'upstream_fails',
    fix: /own log/,
  },
  {
    name: 'the MCP server is some other API',
    config: upstreamOf,
    plant: ({ upstream }) => upstream.answerWith(answerJson({ hello: 'world' })),
    finds: 'upstream_not_mcp',
    fix: /MCP endpoint itself/,
  },
  {
    name: 'the MCP server speaks HTTP+SSE only',
    config: ({ mcpServer }) => ({ servers: [serve(mcpServer.sseUrl)] }),
    finds: 'upstream_is_sse',
    fix: /`sse: \{ upstream:/,
  },
  {
    name: 'the MCP server speaks Streamable HTTP only',
    config: ({ mcpServer }) => ({ servers: [{ sse: { upstream: mcpServer.streamableHttpUrl } }] }),
    finds: 'upstream_is_streamable',
    fix: /instead of `sse`/,
  },
  {
    name: 'the event stream leads elsewhere',
    config: ({ upstream }) => ({ servers: [{ sse: { upstream: `${upstream.origin}/sse` } }] }),
    plant: ({ upstream }) =>
      upstream.answerWith(
        (_, response) =>
          void response
            .writeHead(200, { 'content-type': 'text/event-stream' })
            .write('event: endpoint\ndata: https://evil.example.com/messages\n\n'),
      ),
    finds: 'upstream_endpoint_elsewhere',
    fix: /same origin/,
  },
  {
    name: 'the upstream is the proxy itself',
    config: ({ front }) => ({ servers: [serve(`${front.origin}/mcp`)] }),
    finds: 'upstream_is_proxy',
    fix: /not the public one/,
  },
  {
    name: 'the program of the MCP server is missing',
    config: () => ({ servers: [serve({ command: ['no-such-program-anywhere'] })] }),
    running: false,
    finds: 'upstream_process',
    fix: /Run the command by hand/,
  },
  {
    name: 'the MCP server ends at once',
    config: () => ({ servers: [serve({ command: ['sh', '-c', 'echo no licence >&2; exit 3'] })] }),
    finds: 'upstream_process',
    fix: /upstream\.env/,
  },
]

const ofIdentityProvider: Mistake[] = [
  {
    name: 'the identity provider is written otherwise',
    config: brokering,
    plant: ({ issuer }) => spoilMetadata(issuer, { issuer: 'https://accounts.example.com' }),
    finds: 'issuer_mismatch',
    fix: /write "https:\/\/accounts\.example\.com" as issuer/,
  },
  {
    name: 'the identity provider is down',
    config: brokering,
    plant: ({ issuer }) => issuer.setOutage('refuse'),
    finds: 'issuer_metadata_missing',
    fix: /the program is running/,
  },
  {
    name: 'the identity provider does not know the client',
    config: (stage) => ({
      ...brokering(stage),
      identity_provider: { oauth: plainOAuth(stage), client_id: 'proxy', client_secret: { env: 'SECRET' } },
    }),
    plant: ({ upstream }) => upstream.answerWith(answerJson({ error: 'incorrect_client_credentials' })),
    finds: 'client_refused',
    fix: /client_secret/,
  },
  {
    name: 'the identity provider does not know the redirect URI',
    config: (stage) => ({
      ...brokering(stage),
      identity_provider: { oauth: plainOAuth(stage), client_id: 'proxy', client_secret: { env: 'SECRET' } },
    }),
    plant: ({ upstream }) => upstream.answerWith(answerJson({ error: 'redirect_uri_mismatch' }, 400)),
    finds: 'redirect_uri_missing',
    fix: /Register http:\/\/localhost:\d+\/oauth\/callback/,
  },
]

function plainOAuth({ upstream: { origin } }: DoctorStage) {
  return { authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`, userinfo_endpoint: `${origin}/user` }
}

function brokering({ issuer }: DoctorStage): Partial<ConfigInput> {
  return {
    issuers: [],
    identity_provider: { issuer: issuer.issuer, client_id: 'proxy', client_secret: { env: 'SECRET' } },
    broker: { store: { kind: 'memory' } },
  }
}

const open: DoctorStage[] = []
afterEach(() => Promise.all(open.splice(0).map((stage) => stage.close())))

describe.each([
  ['the issuer', ofIssuer],
  ['a token', ofToken],
  ['the public URL', ofPublicUrl],
  ['the MCP server', ofUpstream],
  ['the identity provider', ofIdentityProvider],
])('the doctor finds what is wrong with %s', (_, mistakes) => {
  it.each(mistakes)('$name', async (mistake) => {
    const stage = await openDoctorStage(mistake.issuer)
    open.push(stage)
    const config = stage.configure(mistake.config?.(stage))
    if (mistake.running !== false) await stage.run({ ...config, ...mistake.running?.(stage) })
    await mistake.plant?.(stage)
    const token = await (mistake.token ?? minted())(stage)

    const { findings } = await examine(stage.load(config), token)

    const found = findings.find(({ id }) => id === mistake.finds)
    expect(found, JSON.stringify(findings, null, 1)).toMatchObject({
      verdict: mistake.verdict ?? 'problem',
      fix: expect.stringMatching(mistake.fix),
    })
    if (mistake.verdict === 'warning') expect(findings.filter(({ verdict }) => verdict === 'problem')).toEqual([])
    expect(JSON.stringify(findings)).not.toContain(token.split('.').at(-1))
  })
})
