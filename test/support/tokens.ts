import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { rememberSecret } from './secrets-in-use.ts'

/** What the issuer's endpoints do when they don't answer as they should. */
type Outage = 'none' | 'refuse' | 'error' | 'hang' | 'html' | 'drip' | 'huge' | 'redirect'

interface MintOptions {
  /** Claims beside or instead of the usual ones; `undefined` leaves one out. */
  readonly claims?: Record<string, unknown>
  /** Members of the protected header beside or instead of `alg`, `typ` and `kid`; `undefined` leaves one out. */
  readonly header?: Record<string, unknown>
}

/** Members of the answer, or a status. */
type IntrospectionAnswer = Record<string, unknown> | number

export interface TestIssuer {
  /** `http://127.0.0.1:<port>`, or with the path that was asked for. */
  readonly issuer: string
  readonly jwksUri: string
  /** Mints an access token as RFC 9068 has it: one hour, `at+jwt`, for {@link IssuerOptions.audience}. */
  mint(options?: MintOptions): Promise<string>
  /** Signs with a new key from now on. Old keys stay published unless `dropOld`, or the new one has the `kid` of the last. */
  rotate(how?: { dropOld?: boolean; keepKid?: boolean }): Promise<void>
  /** Publishes these keys besides its own: raw, however wrong. */
  publish(keys: readonly Record<string, unknown>[]): void
  /** The key that signs now, with its private part. */
  readonly signingKey: { readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }
  /** From now on. `refuse` closes the port, all else answers wrongly on it. */
  setOutage(outage: Outage): Promise<void>
  /** Members of the metadata beside or instead of the usual ones; `undefined` leaves one out. */
  setMetadata(members: Record<string, unknown>): void
  /** Header fields of its answers beside or instead of the usual ones. */
  setHeaders(headers: Record<string, string>): void
  /** How tokens are introspected (RFC 7662). Default: none is active. */
  setIntrospection(
    answer: (form: URLSearchParams, authorization: string | undefined) => IntrospectionAnswer | Promise<IntrospectionAnswer>,
  ): void
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

export interface IssuerOptions {
  /** Default: RS256. */
  readonly algorithm?: string
  /** Audience of minted tokens. Default: `https://mcp.example.com/mcp`. */
  readonly audience?: string | string[]
  /** Path of the issuer identifier, for example `/tenant/a`. Default: none. */
  readonly path?: string
  /** Where metadata is served. Default: where RFC 8414 §3.1 says. */
  readonly discovery?: 'oauth' | 'openid-inserted' | 'openid-appended'
  /** `max-age` of the key set, in seconds. Default: no such header. */
  readonly keysMaxAge?: number
}

interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

/** Starts a small issuer on 127.0.0.1 with real keys, whose every answer a test can spoil. */
export async function startIssuer(options: IssuerOptions = {}): Promise<TestIssuer> {
  const { algorithm = 'RS256', audience = 'https://mcp.example.com/mcp', path = '', discovery = 'oauth', keysMaxAge } = options
  const requests: string[] = []
  let published: Record<string, unknown>[] = []
  let outage: Outage = 'none'
  let metadata: Record<string, unknown> = {}
  let fields: Record<string, string> = {}
  let introspect: Parameters<TestIssuer['setIntrospection']>[0] = () => ({ active: false })
  let key = await createKey(algorithm)
  let keys = [key]

  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    for (const [name, value] of Object.entries(fields)) response.setHeader(name, value)
    if (spoil(outage, response)) return
    if (request.url === `${path}/introspect`) {
      let form = ''
      request.on('data', (chunk) => (form += chunk))
      request.on('end', async () => {
        const answer = await introspect(new URLSearchParams(form), request.headers.authorization)
        if (typeof answer === 'number') response.writeHead(answer).end()
        else sendJson(response, answer)
      })
      return
    }
    if (request.url === `${path}/jwks`) {
      const headers = keysMaxAge === undefined ? {} : { 'Cache-Control': `max-age=${keysMaxAge}` }
      return sendJson(response, { keys: [...keys.map(({ publicJwk }) => publicJwk), ...published] }, headers)
    }
    if (request.url === formatMetadataPath(path, discovery)) return sendJson(response, { ...describe(), ...metadata })
    response.writeHead(404).end()
  })
  const port = await listenOnLoopback(server, 0)
  const issuer = `http://127.0.0.1:${port}${path}`

  const describe = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [algorithm],
  })

  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    requests,
    get signingKey() {
      return key
    },
    mint: ({ claims, header } = {}) => mint(key, algorithm, { iss: issuer, aud: audience, ...claims }, header),
    rotate: async ({ dropOld = false, keepKid = false } = {}) => {
      key = await createKey(algorithm, keepKid ? key.kid : undefined)
      keys = dropOld || keepKid ? [key] : [...keys, key]
    },
    publish: (more) => {
      published = [...more]
    },
    setOutage: async (next) => {
      if (outage === 'refuse' && next !== 'refuse') await listenOnLoopback(server, port)
      if (outage !== 'refuse' && next === 'refuse') await closeServer(server)
      outage = next
    },
    setMetadata: (members) => {
      metadata = members
    },
    setHeaders: (headers) => {
      fields = headers
    },
    setIntrospection: (answer) => {
      introspect = answer
    },
    close: async () => {
      if (outage !== 'refuse') await closeServer(server)
    },
  }
}

async function createKey(algorithm: string, kid: string = randomUUID()): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } }
}

async function mint(
  key: SigningKey,
  algorithm: string,
  claims: JWTPayload,
  header: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const usual = { sub: 'alice', client_id: 'test-client', scope: 'mcp:tools', iat: now, exp: now + 3600, jti: randomUUID() }
  const token = await new SignJWT(dropUndefined({ ...usual, ...claims }))
    .setProtectedHeader(dropUndefined({ alg: algorithm, typ: 'at+jwt', kid: key.kid, ...header }) as { alg: string })
    .sign(key.privateKey)
  rememberSecret(token)
  return token
}

function dropUndefined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

function formatMetadataPath(path: string, discovery: NonNullable<IssuerOptions['discovery']>): string {
  if (discovery === 'oauth') return `/.well-known/oauth-authorization-server${path}`
  return discovery === 'openid-inserted' ? `/.well-known/openid-configuration${path}` : `${path}/.well-known/openid-configuration`
}

function sendJson(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value))
}

/** Answers wrongly; returns whether it did. */
function spoil(outage: Outage, response: ServerResponse): boolean {
  if (outage === 'error') response.writeHead(503).end()
  if (outage === 'html') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Sign in to the hotel network</h1>')
  if (outage === 'redirect') response.writeHead(302, { Location: 'http://169.254.169.254/latest/meta-data/' }).end()
  if (outage === 'huge') pour(response)
  if (outage === 'drip') drip(response)
  return outage !== 'none'
}

/** More than anybody should read: valid JSON so far, without end. */
function pour(response: ServerResponse): void {
  const piece = `"${'x'.repeat(65_534)}",`
  let pieces = 0
  const more = () => {
    while (pieces++ < 4096) if (!response.write(piece)) return
    response.end('""]}')
  }
  response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"keys":[')
  response.on('drain', more)
  more()
}

/** A byte a second, so that no pause is ever long. */
function drip(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).write('{')
  const timer = setInterval(() => response.write(' '), 1000)
  response.once('close', () => clearInterval(timer))
}
