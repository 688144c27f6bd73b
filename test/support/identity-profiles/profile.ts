// Identity providers as their vendors document them: issuer form, metadata, tokens, and what each of them refuses.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'
import { issueTokens } from './profile-tokens.ts'
import {
  type Claims,
  FORBIDDEN,
  type Interference,
  NOT_FOUND,
  type Places,
  type Signer,
  type State,
  sendJson,
  VENDOR_CLIENT,
  type Vendor,
  type VendorRefusal,
} from './vendor.ts'

export interface Profile {
  readonly issuer: string
  readonly origin: string
  /** Authorization requests, token requests and paths asked for, as they came. */
  readonly authorizations: URLSearchParams[]
  readonly tokenRequests: URLSearchParams[]
  /** Access tokens that were given to the proxy. */
  readonly accessTokens: string[]
  /** Answers to the next authorization request with an error, as if the user had cancelled. */
  cancelNext(): void
  /** Ends the sessions of all users: refresh tokens stop working. */
  endSessions(): void
  /** Signs with a new key from now on, and publishes that alone. */
  rotateKey(): Promise<void>
  /** Signs as itself, or with a key that is not published, under the same key id. */
  sign(claims: Claims): Promise<string>
  signAsStranger(claims: Claims): Promise<string>
  /** Answers everything that is asked at a path in the vendor's place, which knows nothing of it; undefined ends that. */
  interfere(path: string, answer: Interference | undefined): void
  /** How often somebody interfered. */
  readonly interferences: number
  /** Everything secret that went over the wire. */
  listSecrets(): string[]
  close(): Promise<void>
}

export async function startProfile(vendor: Vendor): Promise<Profile> {
  let state: State | undefined
  const server = createServer((request, response) => {
    answer(state as State, request, response).catch((error: Error) => {
      response.writeHead(500).end(error.message)
    })
  })
  const port = await listenOnLoopback(server, 0)
  const places = { origin: `http://127.0.0.1:${port}`, otherOrigin: `http://localhost:${port}` }
  const created = await createState(vendor, places)
  state = created
  return {
    ...created,
    get interferences() {
      return created.interferences
    },
    interfere(path, interference) {
      if (interference === undefined) created.interfering.delete(path)
      else created.interfering.set(path, interference)
    },
    listSecrets: () => listSecrets(created),
    origin: places.origin,
    sign: (claims) => created.signer.sign(claims),
    signAsStranger: async (claims) => (await createSigner(String(created.signer.jwk.kid))).sign(claims),
    cancelNext: () => {
      created.cancels = true
    },
    endSessions: () => created.refreshTokens.clear(),
    rotateKey: async () => {
      created.signer = await createSigner()
    },
    close: () => closeServer(server),
  }
}

async function createSigner(id?: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = id ?? (await calculateJwkThumbprint(jwk))
  return {
    jwk: { ...jwk, kid, alg: 'RS256', use: 'sig' },
    sign: (claims, typ = 'JWT') => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ }).sign(privateKey),
  }
}

async function createState(vendor: Vendor, places: Places): Promise<State> {
  return {
    vendor,
    places,
    issuer: vendor.issuer(places),
    signer: await createSigner(),
    codes: new Map(),
    refreshTokens: new Map(),
    usedRefreshTokens: new Map(),
    access: new Map(),
    authorizations: [],
    tokenRequests: [],
    accessTokens: [],
    clients: new Map(),
    cancels: false,
    interfering: new Map(),
    interferences: 0,
  }
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { vendor, issuer } = state
  const url = new URL(request.url ?? '', state.places.origin)
  const interference = state.interfering.get(url.pathname)
  if (interference !== undefined) {
    state.interferences += 1
    return interference(response, request)
  }
  switch (url.pathname) {
    case vendor.metadataPath:
      return sendJson(response, 200, { issuer, ...formatEndpoints(state), ...vendor.metadata?.(state.places) })
    case vendor.paths.keys:
      return sendJson(response, 200, { keys: [state.signer.jwk] })
    case vendor.paths.authorize:
      return authorize(state, url.searchParams, response)
    case vendor.registration:
      return register(state, request, response)
    case vendor.paths.token:
      return issueTokens(state, request, response)
    default:
      return tellUser(state, url.pathname, request, response)
  }
}

function formatEndpoints({ vendor: { paths, endpointsElsewhere }, places }: State): Claims {
  const base = endpointsElsewhere === true ? places.otherOrigin : places.origin
  return {
    authorization_endpoint: `${base}${paths.authorize}`,
    token_endpoint: `${base}${paths.token}`,
    userinfo_endpoint: `${base}${paths.userinfo}`,
    jwks_uri: `${base}${paths.keys}`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  }
}

/** What every vendor holds against a request: its client, its redirect URI letter by letter, scopes that it has, PKCE. */
function authorize(state: State, query: URLSearchParams, response: ServerResponse): void {
  const { vendor, issuer } = state
  state.authorizations.push(query)
  const redirectUri = query.get('redirect_uri') ?? ''
  const known = state.clients.get(query.get('client_id') ?? '')?.redirectUris.includes(redirectUri)
  const isProxy = query.get('client_id') === VENDOR_CLIENT.id && redirectUri.endsWith('/oauth/callback')
  if ((known !== true && !isProxy) || query.get('response_type') !== 'code') {
    response.writeHead(400, { 'content-type': 'text/html' }).end('<h1>invalid request</h1>')
    return
  }
  const scopes = (query.get('scope') ?? '').split(' ').filter(Boolean)
  const refusal = vendor.refuseAuthorization?.(query) ?? findRefusal(state, query, scopes)
  const code = randomUUID()
  if (refusal === undefined) state.codes.set(code, { authorization: query, scopes, issuer })
  const members = refusal === undefined ? { code } : refusal
  const target = new URL(redirectUri)
  for (const [name, value] of Object.entries({
    ...members,
    state: query.get('state') ?? '',
    ...(vendor.sendsIss && { iss: issuer }),
  }))
    target.searchParams.set(name, value)
  response.writeHead(302, { location: target.href }).end()
}

function findRefusal(state: State, query: URLSearchParams, scopes: readonly string[]): VendorRefusal | undefined {
  if (state.cancels) {
    state.cancels = false
    return { error: 'access_denied', error_description: 'The user cancelled.' }
  }
  const unknown = scopes.find((scope) => !state.vendor.scopesSupported.includes(scope))
  if (unknown !== undefined)
    return { error: 'invalid_scope', error_description: `Some requested scopes were invalid: ${unknown}` }
  if (query.get('code_challenge_method') !== 'S256') return { error: 'invalid_request', error_description: 'PKCE is needed.' }
  return undefined
}

/** Registers whoever asks, as `token_endpoint_auth_method` has it. */
async function register(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const metadata = JSON.parse(await text(request)) as { redirect_uris?: string[]; token_endpoint_auth_method?: string }
  if (metadata.redirect_uris === undefined) return sendJson(response, 400, { error: 'invalid_redirect_uri' })
  const id = randomUUID()
  const secret = metadata.token_endpoint_auth_method === 'none' ? undefined : randomUUID()
  state.clients.set(id, { secret, redirectUris: metadata.redirect_uris })
  response.setHeader('set-cookie', 'did=of-the-vendor; Path=/')
  sendJson(response, 201, {
    ...metadata,
    client_id: id,
    ...(secret !== undefined && { client_secret: secret, client_secret_expires_at: 0 }),
  })
}

/** What must never be seen in a log. */
function listSecrets({ access, refreshTokens, usedRefreshTokens, authorizations, tokenRequests }: State): string[] {
  const sent = [...authorizations, ...tokenRequests].flatMap((form) => [...form])
  const secret = new Set(['state', 'nonce', 'code', 'code_verifier', 'refresh_token', 'client_secret'])
  const named = sent.flatMap(([name, value]) => (secret.has(name) ? [value] : []))
  return [VENDOR_CLIENT.secret, ...access.keys(), ...refreshTokens.keys(), ...usedRefreshTokens.keys(), ...named]
}

function tellUser(state: State, path: string, request: IncomingMessage, response: ServerResponse): void {
  const token = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const grant = token === undefined ? undefined : state.access.get(token)
  const body = state.vendor.users(path, request, grant)
  if (body === undefined) {
    const headers = { 'www-authenticate': 'Bearer error="invalid_token"', 'content-type': 'application/json' }
    response.writeHead(401, headers).end('{"error":"invalid_token"}')
    return
  }
  if (body === NOT_FOUND || body === FORBIDDEN) sendJson(response, body === NOT_FOUND ? 404 : 403, { message: 'no' })
  else sendJson(response, 200, body)
}
