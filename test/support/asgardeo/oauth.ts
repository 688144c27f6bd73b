import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { findUser, type User } from '../../../src/sandbox/users.ts'
import {
  ADMIN,
  type Answer,
  type Application,
  EVERY_SCOPE,
  findByClientId,
  type Oidc,
  type Question,
  randomWord,
  type State,
} from './state.ts'

/** What the user-facing part of Asgardeo knows. */
interface Session {
  readonly parameters: URLSearchParams
  readonly application: Application & { oidc: Oidc }
  user?: User
}

interface Grant {
  readonly user: User
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly nonce: string | undefined
  readonly challenge: string | undefined
  readonly redirectUri: string
}

const OIDC_SCOPES = new Set(['openid', 'profile', 'email', 'groups', 'roles', 'phone', 'address'])

const json = (status: number, body: object, headers: Record<string, string> = {}): Answer => ({ status, body, headers })
const refuse = (status: number, error: string, description: string): Answer =>
  json(status, { error, error_description: description }, status === 401 ? { 'www-authenticate': 'Basic realm=is.com' } : {})

/** Endpoints at which users and clients are served. */
export async function createOAuth(state: State) {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const kid = randomUUID()
  const jwk = { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256', kty: 'RSA' }
  const sessions = new Map<string, Session>()
  const codes = new Map<string, Grant>()
  const refreshTokens = new Map<string, Grant>()
  const accessTokens = new Map<string, Grant>()
  const seconds = state.options.accessTokenSeconds ?? 3600
  const { leavesOutScope } = state.options
  const issuer = () => `${state.base}/oauth2/token`

  const sign = (claims: Record<string, unknown>, audience: string, typ: string) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', kid, typ })
      .setIssuer(issuer())
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .setJti(randomUUID())
      .sign(privateKey)

  function authorize({ url }: Question): Answer {
    const key = url.searchParams.get('sessionDataKey')
    if (key !== null) return goBack(key)
    const application = findByClientId(state, url.searchParams.get('client_id') ?? '')
    if (application === undefined) return errorPage('invalid_client', 'A valid OAuth client could not be found for client_id')
    const redirectUri = url.searchParams.get('redirect_uri') ?? ''
    if (!matches(application.oidc.callbackURLs, redirectUri))
      return errorPage('invalid_callback', 'The redirect URI does not match the registered one')
    const { pkce } = application.oidc as { pkce?: { mandatory?: boolean } }
    if (pkce?.mandatory === true && url.searchParams.get('code_challenge_method') !== 'S256')
      return sendBack(redirectUri, { error: 'invalid_request', error_description: 'PKCE is mandatory' }, url.searchParams)
    const session = randomUUID()
    sessions.set(session, { parameters: url.searchParams, application })
    return { status: 302, headers: { location: `${state.origin}/authenticationendpoint/login.do?sessionDataKey=${session}` } }
  }

  function login({ method, url, body }: Question): Answer {
    const key = url.searchParams.get('sessionDataKey') ?? ''
    const session = sessions.get(key)
    if (session === undefined) return errorPage('expired', 'The sign-in has expired')
    const form = new URLSearchParams(body)
    const user = method === 'POST' ? findUser(state.options.users, form.get('name') ?? '', form.get('password') ?? '') : undefined
    if (user === undefined) return page('Sign In', '<form method="post"><input name="name"><input name="password"></form>')
    session.user = user
    return { status: 302, headers: { location: `${state.base}/oauth2/authorize?sessionDataKey=${key}` } }
  }

  function goBack(key: string): Answer {
    const session = sessions.get(key)
    sessions.delete(key)
    if (session?.user === undefined) return errorPage('expired', 'The sign-in has expired')
    const { parameters, application, user } = session
    const code = randomUUID()
    const redirectUri = parameters.get('redirect_uri') ?? ''
    codes.set(code, {
      user,
      clientId: application.oidc.clientId,
      scopes: listGranted(application, user, parameters.get('scope') ?? ''),
      nonce: parameters.get('nonce') ?? undefined,
      challenge: parameters.get('code_challenge') ?? undefined,
      redirectUri,
    })
    // No `iss`: Asgardeo sends none.
    return sendBack(redirectUri, { code, session_state: randomWord() }, parameters)
  }

  async function token({ headers, body }: Question): Promise<Answer> {
    const form = new URLSearchParams(body)
    const [id = form.get('client_id') ?? '', secret = form.get('client_secret') ?? ''] = readBasic(headers.authorization)
    if (form.get('grant_type') === 'client_credentials') return adminToken(id, secret, form)
    const application = findByClientId(state, id)
    if (application === undefined || application.oidc.clientSecret !== secret)
      return refuse(401, 'invalid_client', 'A valid OAuth client could not be found for client_id')
    const grant = takeGrant(form)
    if (grant === undefined || grant.clientId !== id) return refuse(400, 'invalid_grant', 'Invalid authorization grant')
    return json(200, await issue(grant, application), { 'cache-control': 'no-store' })
  }

  function adminToken(id: string, secret: string, form: URLSearchParams): Answer {
    if (id !== ADMIN.clientId || secret !== ADMIN.clientSecret)
      return refuse(401, 'invalid_client', 'Client Authentication failed.')
    const allowed = state.options.adminScopes ?? EVERY_SCOPE
    const granted = (form.get('scope') ?? '').split(' ').filter((scope) => allowed.includes(scope))
    const access = randomWord()
    state.adminTokens.set(access, granted)
    return json(200, { access_token: access, token_type: 'Bearer', expires_in: 3600, scope: granted.join(' ') })
  }

  function takeGrant(form: URLSearchParams): Grant | undefined {
    if (form.get('grant_type') === 'refresh_token') {
      const key = form.get('refresh_token') ?? ''
      const grant = refreshTokens.get(key)
      refreshTokens.delete(key)
      return grant
    }
    const key = form.get('code') ?? ''
    const grant = codes.get(key)
    codes.delete(key)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const isRight = grant?.challenge === challenge && form.get('redirect_uri') === grant?.redirectUri
    return isRight ? grant : undefined
  }

  async function issue(grant: Grant, { oidc }: Application & { oidc: Oidc }): Promise<object> {
    const { user, clientId, scopes, nonce } = grant
    const subject = { sub: `uuid-of-${user.name}` }
    const access =
      oidc.accessToken.type === 'JWT'
        ? await sign({ ...subject, scope: scopes.join(' '), client_id: clientId, aut: 'APPLICATION_USER' }, clientId, 'at+jwt')
        : randomWord()
    accessTokens.set(access, grant)
    const hasRefresh = oidc.grantTypes.includes('refresh_token')
    const refreshToken = randomUUID()
    if (hasRefresh) refreshTokens.set(refreshToken, grant)
    return {
      access_token: access,
      ...(hasRefresh && { refresh_token: refreshToken }),
      ...(scopes.includes('openid') && {
        id_token: await sign({ ...subject, ...user.claims, ...(nonce !== undefined && { nonce }) }, clientId, 'JWT'),
      }),
      ...(leavesOutScope !== true && { scope: scopes.join(' ') }),
      token_type: 'Bearer',
      expires_in: seconds,
    }
  }

  function userinfo({ headers }: Question): Answer {
    const grant = accessTokens.get(String(headers.authorization).replace(/^Bearer /, ''))
    if (grant === undefined) return refuse(401, 'invalid_token', 'Access token validation failed')
    return json(200, { sub: `uuid-of-${grant.user.name}`, ...grant.user.claims })
  }

  function introspect({ headers, body }: Question): Answer {
    const [id = '', secret = ''] = readBasic(headers.authorization)
    if (findByClientId(state, id)?.oidc.clientSecret !== secret) return { status: 401 }
    const grant = accessTokens.get(new URLSearchParams(body).get('token') ?? '')
    if (grant === undefined) return json(200, { active: false })
    return json(200, { active: true, scope: grant.scopes.join(' '), client_id: grant.clientId, username: grant.user.name })
  }

  function revoke({ body }: Question): Answer {
    const value = new URLSearchParams(body).get('token') ?? ''
    accessTokens.delete(value)
    refreshTokens.delete(value)
    return { status: 200 }
  }

  const discovery = (): Answer =>
    json(200, {
      issuer: issuer(),
      authorization_endpoint: `${state.base}/oauth2/authorize`,
      token_endpoint: `${state.base}/oauth2/token`,
      jwks_uri: `${state.base}/oauth2/jwks`,
      userinfo_endpoint: `${state.base}/oauth2/userinfo`,
      introspection_endpoint: `${state.base}/oauth2/introspect`,
      revocation_endpoint: `${state.base}/oauth2/revoke`,
      end_session_endpoint: `${state.base}/oidc/logout`,
      registration_endpoint: `${state.base}/api/identity/oauth2/dcr/v1.1/register`,
      response_types_supported: ['code', 'id_token', 'token', 'none'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials', 'password'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      code_challenge_methods_supported: ['S256', 'plain'],
    })

  return {
    /** Forgets every session, as when an administrator ends them. */
    endSessions: () => refreshTokens.clear(),
    routes: new Map<string, (question: Question) => Answer | Promise<Answer>>([
      ['GET /oauth2/token/.well-known/openid-configuration', discovery],
      ['GET /oauth2/jwks', () => json(200, { keys: [jwk] })],
      ['GET /oauth2/authorize', authorize],
      ['POST /oauth2/token', token],
      ['GET /oauth2/userinfo', userinfo],
      ['POST /oauth2/introspect', introspect],
      ['POST /oauth2/revoke', revoke],
      ['GET /oidc/logout', () => page('Signed out', '')],
    ]),
    login,
  }

  function listGranted(application: Application, user: User, asked: string): string[] {
    const authorized = new Set([...application.authorized.values()].flat())
    return asked.split(' ').filter((scope) => OIDC_SCOPES.has(scope) || (authorized.has(scope) && user.mayGrant.includes(scope)))
  }
}

/** How Asgardeo compares redirect URIs: letter by letter, or with a pattern that has to match the whole. */
export function matches(registered: readonly string[], redirectUri: string): boolean {
  return registered.some((url) =>
    url.startsWith('regexp=') ? new RegExp(`^(?:${url.slice('regexp='.length)})$`).test(redirectUri) : url === redirectUri,
  )
}

function sendBack(redirectUri: string, answer: Record<string, string>, parameters: URLSearchParams): Answer {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value)
  const sent = parameters.get('state')
  if (sent !== null) url.searchParams.set('state', sent)
  return { status: 302, headers: { location: url.href } }
}

const page = (title: string, content: string, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: `<!doctype html><title>${title}</title><h1>${title}</h1>${content}`,
})
const errorPage = (code: string, text: string): Answer => page(`${code}: ${text}`, '', 400)

/** Nothing is percent-decoded here: who encodes what RFC 6749 §2.3.1 has encoded is not understood. */
function readBasic(header: string | string[] | undefined): string[] {
  const [, encoded] = /^Basic (.+)$/i.exec(String(header)) ?? []
  if (encoded === undefined) return []
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':')
  return [id, secret.join(':')]
}
