// Identity providers as their vendors document them: issuer form, metadata, tokens, and what each of them refuses.
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'

/** Where a profile runs: the same port by two names, for vendors whose endpoints are on another host than their issuer. */
export interface Places {
  readonly origin: string
  readonly otherOrigin: string
}

type Claims = Readonly<Record<string, unknown>>

/** An error with which a vendor answers. */
export interface VendorRefusal {
  readonly error: string
  readonly error_description: string
}

/** What the user agreed to, as it is known when tokens are made. */
export interface Grant {
  readonly authorization: URLSearchParams
  readonly scopes: readonly string[]
  readonly issuer: string
}

/** What is special to a vendor, in its own words. */
export interface Vendor {
  readonly issuer: (places: Places) => string
  /** Where its metadata is, and what stands there beside `issuer`, endpoints and keys; undefined for a vendor without. */
  readonly metadataPath?: string
  readonly metadata?: (places: Places) => Claims
  readonly paths: { readonly authorize: string; readonly token: string; readonly userinfo: string; readonly keys: string }
  /** Whether endpoints are on {@link Places.otherOrigin}. */
  readonly endpointsElsewhere?: boolean
  /** Whether the redirect carries `iss` (RFC 9207). */
  readonly sendsIss?: boolean
  readonly authentication: 'client_secret_basic' | 'client_secret_post'
  readonly scopesSupported: readonly string[]
  readonly refuseAuthorization?: (query: URLSearchParams) => VendorRefusal | undefined
  readonly refuseToken?: (form: URLSearchParams, grant: Grant | undefined) => VendorRefusal | undefined
  readonly givesRefreshToken: (grant: Grant) => boolean
  /** Whether a refresh token is good once, and shown again ends the session, as for theft (RFC 9700 §4.14.2). */
  readonly rotatesRefreshTokens?: boolean
  /** Claims of a JWT access token; undefined for an opaque one. */
  readonly accessToken: (grant: Grant) => Claims | undefined
  readonly opaquePrefix?: string
  /** Claims of the ID token beside those of the protocol; undefined for a vendor without. */
  readonly idToken: ((grant: Grant) => Claims) | undefined
  /** Answers that the vendor's user endpoints give, by path; undefined refuses the token. */
  readonly users: (path: string, request: IncomingMessage, grant: Grant | undefined) => unknown
  /** Where clients register themselves (RFC 7591); undefined for a vendor without. */
  readonly registration?: string
  /** Has the last word on the answer of the token endpoint. */
  readonly sendTokens?: (request: IncomingMessage, response: ServerResponse, status: number, answer: Claims) => void
}

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
  /** Answers everything that is asked at a path in the vendor's place, which knows nothing of it; undefined ends that. */
  interfere(path: string, answer: Interference | undefined): void
  /** How often somebody interfered. */
  readonly interferences: number
  /** Everything secret that went over the wire. */
  listSecrets(): string[]
  close(): Promise<void>
}

export type Interference = (response: ServerResponse, request: IncomingMessage) => void

export const VENDOR_CLIENT = { id: 'the-proxy-at-the-vendor', secret: 'secret-of-the-proxy-at-the-vendor' }

/** The user of every profile, who is signed in at the vendor already. */
export const SUBJECT = '00u1-alice'

interface Signer {
  readonly sign: (claims: Claims, type?: string) => Promise<string>
  readonly jwk: Claims
}

interface State {
  readonly vendor: Vendor
  readonly places: Places
  readonly issuer: string
  signer: Signer
  readonly codes: Map<string, Grant>
  readonly refreshTokens: Map<string, Grant>
  readonly usedRefreshTokens: Map<string, Grant>
  readonly access: Map<string, Grant>
  readonly authorizations: URLSearchParams[]
  readonly tokenRequests: URLSearchParams[]
  readonly accessTokens: string[]
  /** Registered clients: their secret, or none, and where users are sent back to. */
  readonly clients: Map<string, { readonly secret: string | undefined; readonly redirectUris: readonly string[] }>
  cancels: boolean
  readonly interfering: Map<string, Interference>
  interferences: number
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

async function createSigner(): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
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

async function issueTokens(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await text(request))
  state.tokenRequests.push(form)
  const send = state.vendor.sendTokens ?? ((_request, to, status, members) => sendJson(to, status, members))
  const isKnown = isAuthenticated(state, form, request.headers.authorization)
  if (!isKnown)
    return send(request, response, 401, { error: 'invalid_client', error_description: 'Client authentication failed.' })
  const grant = findGrant(state, form)
  const refusal = state.vendor.refuseToken?.(form, grant)
  if (refusal !== undefined) return send(request, response, 400, { ...refusal })
  if (grant === undefined) return send(request, response, 400, { error: 'invalid_grant', error_description: 'It is over.' })
  send(request, response, 200, await createTokens(state, grant))
}

function isAuthenticated(
  { vendor: { authentication }, clients }: State,
  form: URLSearchParams,
  header: string | undefined,
): boolean {
  const registered = clients.get(form.get('client_id') ?? '')
  if (registered !== undefined) return registered.secret === (form.get('client_secret') ?? undefined)
  const expected = `Basic ${Buffer.from(`${VENDOR_CLIENT.id}:${VENDOR_CLIENT.secret}`).toString('base64')}`
  if (authentication === 'client_secret_basic') return header === expected
  return form.get('client_id') === VENDOR_CLIENT.id && form.get('client_secret') === VENDOR_CLIENT.secret && header === undefined
}

function findGrant(state: State, form: URLSearchParams): Grant | undefined {
  if (form.get('grant_type') === 'refresh_token') return findRefreshed(state, form.get('refresh_token') ?? '')
  const { codes } = state
  const code = form.get('code') ?? ''
  const grant = codes.get(code)
  codes.delete(code)
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  const { authorization } = grant ?? {}
  const isSame =
    authorization?.get('redirect_uri') === form.get('redirect_uri') && authorization.get('code_challenge') === challenge
  return isSame ? grant : undefined
}

function findRefreshed({ vendor, refreshTokens, usedRefreshTokens }: State, token: string): Grant | undefined {
  const grant = refreshTokens.get(token)
  if (vendor.rotatesRefreshTokens !== true) return grant
  const stolen = usedRefreshTokens.get(token)
  if (stolen !== undefined)
    for (const [other, { authorization }] of refreshTokens)
      if (authorization === stolen.authorization) refreshTokens.delete(other)
  refreshTokens.delete(token)
  if (grant !== undefined) usedRefreshTokens.set(token, grant)
  return grant
}

/** What must never be seen in a log. */
function listSecrets({ access, refreshTokens, usedRefreshTokens, authorizations, tokenRequests }: State): string[] {
  const sent = [...authorizations, ...tokenRequests].flatMap((form) => [...form])
  const secret = new Set(['state', 'nonce', 'code', 'code_verifier', 'refresh_token', 'client_secret'])
  const named = sent.flatMap(([name, value]) => (secret.has(name) ? [value] : []))
  return [VENDOR_CLIENT.secret, ...access.keys(), ...refreshTokens.keys(), ...usedRefreshTokens.keys(), ...named]
}

async function createTokens(state: State, grant: Grant): Promise<Claims> {
  const { vendor, issuer } = state
  const now = Math.floor(Date.now() / 1000)
  const claims = vendor.accessToken(grant)
  const times = { iat: now, exp: now + 3600 }
  const accessToken =
    claims === undefined
      ? `${vendor.opaquePrefix ?? ''}${randomUUID()}`
      : await state.signer.sign({ iss: issuer, ...times, ...claims })
  state.access.set(accessToken, grant)
  state.accessTokens.push(accessToken)
  const refreshToken = vendor.givesRefreshToken(grant) ? randomUUID() : undefined
  if (refreshToken !== undefined) state.refreshTokens.set(refreshToken, grant)
  const nonce = grant.authorization.get('nonce')
  const idToken =
    vendor.idToken &&
    (await state.signer.sign({
      iss: issuer,
      aud: VENDOR_CLIENT.id,
      sub: SUBJECT,
      ...times,
      ...(nonce !== null && { nonce }),
      ...vendor.idToken(grant),
    }))
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: 3600,
    scope: grant.scopes.join(' '),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken }),
  }
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

export const NOT_FOUND = Symbol('not found')
export const FORBIDDEN = Symbol('forbidden')

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
}
