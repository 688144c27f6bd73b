import { FORBIDDEN, type Grant, NOT_FOUND, SUBJECT, sendJson, VENDOR_CLIENT, type Vendor } from './vendor.ts'

const USER = { name: 'Alice', given_name: 'Alice', email: 'alice@example.com', email_verified: true }
const OIDC_SCOPES = ['openid', 'profile', 'email']
const asksOffline = ({ scopes }: Grant) => scopes.includes('offline_access')
const has = ({ scopes }: Grant, scope: string) => scopes.includes(scope)

/** What a standard user endpoint tells. */
function tellStandard(own: string, claims: Readonly<Record<string, unknown>> = USER): Vendor['users'] {
  return (path, _request, grant) => {
    if (path !== own) return NOT_FOUND
    return grant === undefined || !has(grant, 'openid') ? undefined : { sub: SUBJECT, ...claims }
  }
}

/** Issuer with a final slash; access tokens are opaque unless `audience` names an API; `resource` has no meaning by default. */
export const AUTH0: Vendor = {
  issuer: ({ origin }) => `${origin}/`,
  metadataPath: '/.well-known/openid-configuration',
  metadata: ({ origin }) => ({
    registration_endpoint: `${origin}/oidc/register`,
    revocation_endpoint: `${origin}/oauth/revoke`,
    scopes_supported: [...OIDC_SCOPES, 'offline_access'],
    code_challenge_methods_supported: ['S256', 'plain'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  }),
  registration: '/oidc/register',
  paths: { authorize: '/authorize', token: '/oauth/token', userinfo: '/userinfo', keys: '/.well-known/jwks.json' },
  authentication: 'client_secret_post',
  scopesSupported: [...OIDC_SCOPES, 'offline_access'],
  refuseAuthorization: (query) =>
    query.has('audience') && !['https://api.example.com', 'mcp_proxy'].includes(query.get('audience') ?? '')
      ? { error: 'access_denied', error_description: `Service not found: ${query.get('audience')}` }
      : undefined,
  givesRefreshToken: asksOffline,
  accessToken: ({ authorization, issuer, scopes }) =>
    authorization.has('audience')
      ? {
          sub: SUBJECT,
          aud: [authorization.get('audience'), `${issuer}userinfo`],
          azp: VENDOR_CLIENT.id,
          scope: scopes.join(' '),
          permissions: [],
        }
      : undefined,
  idToken: () => ({ ...USER, sid: 'a session' }),
  users: tellStandard('/userinfo'),
}

/** One issuer for each realm; every redirect carries `iss`; access tokens are for `account`; refresh tokens come by themselves. */
export function createKeycloak(realm: string, audience = 'account'): Vendor {
  const base = `/realms/${realm}`
  const path = `${base}/protocol/openid-connect`
  return {
    issuer: ({ origin }) => `${origin}${base}`,
    metadataPath: `${base}/.well-known/openid-configuration`,
    metadata: ({ origin }) => ({
      registration_endpoint: `${origin}${base}/clients-registrations/openid-connect`,
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['plain', 'S256'],
      scopes_supported: [...OIDC_SCOPES, 'offline_access', 'roles', 'basic'],
      prompt_values_supported: ['none', 'login', 'consent'],
    }),
    paths: {
      authorize: `${path}/auth`,
      token: `${path}/token`,
      userinfo: `${path}/userinfo`,
      keys: `${path}/certs`,
    },
    registration: `${base}/clients-registrations/openid-connect`,
    sendsIss: true,
    authentication: 'client_secret_basic',
    scopesSupported: [...OIDC_SCOPES, 'offline_access', 'roles', 'basic'],
    givesRefreshToken: () => true,
    accessToken: ({ scopes }) => ({
      sub: SUBJECT,
      typ: 'Bearer',
      aud: audience,
      azp: VENDOR_CLIENT.id,
      scope: scopes.join(' '),
      realm_access: { roles: ['user'] },
    }),
    idToken: () => ({ typ: 'ID', ...USER, preferred_username: 'alice', realm_access: { roles: ['mcp-user'] } }),
    users: tellStandard(`${path}/userinfo`, {
      ...USER,
      preferred_username: 'alice',
      realm_access: { roles: ['mcp-user'] },
    }),
  }
}

export const KEYCLOAK = createKeycloak('main')

/** The authorization server of the organization, or with `id` a custom one below it, whose tokens say their scopes in `scp`. */
export function createOkta(id?: string): Vendor {
  const path = id === undefined ? '/oauth2' : `/oauth2/${id}`
  return {
    issuer: ({ origin }) => (id === undefined ? origin : `${origin}${path}`),
    metadataPath: `${id === undefined ? '' : path}/.well-known/openid-configuration`,
    metadata: ({ origin }) => ({
      registration_endpoint: `${origin}/oauth2/v1/clients`,
      introspection_endpoint: `${origin}${path}/v1/introspect`,
      code_challenge_methods_supported: ['S256'],
      scopes_supported: [...OIDC_SCOPES, 'address', 'phone', 'offline_access', ...(id === undefined ? ['groups'] : [])],
      prompt_values_supported: ['none', 'login', 'consent'],
    }),
    paths: {
      authorize: `${path}/v1/authorize`,
      token: `${path}/v1/token`,
      userinfo: `${path}/v1/userinfo`,
      keys: `${path}/v1/keys`,
    },
    authentication: 'client_secret_basic',
    scopesSupported: [...OIDC_SCOPES, 'offline_access', ...(id === undefined ? ['groups'] : [])],
    givesRefreshToken: asksOffline,
    accessToken: ({ scopes, issuer }) =>
      id === undefined
        ? { ver: 1, aud: issuer, cid: VENDOR_CLIENT.id, uid: SUBJECT, sub: USER.email, scp: scopes }
        : { ver: 1, aud: 'api://default', cid: VENDOR_CLIENT.id, uid: SUBJECT, sub: USER.email, scp: scopes },
    idToken: (grant) => ({ ver: 1, ...USER, idp: '00o1', ...(has(grant, 'groups') && { groups: ['mcp-users'] }) }),
    users: tellStandard(`${path}/v1/userinfo`),
  }
}

export const ENTRA_TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const ENTRA_PATH = `/${ENTRA_TENANT}/oauth2/v2.0`

/** Refuses `resource` (AADSTS9010010) and a scope of two APIs; says nothing of PKCE; its user endpoint is Microsoft Graph's. */
export const ENTRA: Vendor = {
  issuer: ({ origin }) => `${origin}/${ENTRA_TENANT}/v2.0`,
  metadataPath: `/${ENTRA_TENANT}/v2.0/.well-known/openid-configuration`,
  metadata: ({ otherOrigin }) => ({
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    scopes_supported: [...OIDC_SCOPES, 'offline_access'],
    userinfo_endpoint: `${otherOrigin}/oidc/userinfo`,
    tenant_region_scope: 'EU',
  }),
  paths: {
    authorize: `${ENTRA_PATH}/authorize`,
    token: `${ENTRA_PATH}/token`,
    userinfo: '/oidc/userinfo',
    keys: `/${ENTRA_TENANT}/discovery/v2.0/keys`,
  },
  authentication: 'client_secret_post',
  scopesSupported: [...OIDC_SCOPES, 'offline_access', 'api://tickets/read'],
  refuseAuthorization: refuseResource,
  refuseToken: refuseResource,
  givesRefreshToken: asksOffline,
  accessToken: ({ scopes }) => ({
    sub: SUBJECT,
    aud: '00000003-0000-0000-c000-000000000000',
    ver: '1.0',
    tid: ENTRA_TENANT,
    scp: scopes.join(' '),
  }),
  idToken: () => ({
    ver: '2.0',
    tid: ENTRA_TENANT,
    oid: '11111111-2222-3333-4444-555555555555',
    name: 'Alice',
    preferred_username: 'alice@example.com',
    email: 'alice@example.com',
    roles: ['Mcp.User'],
  }),
  // Graph knows tokens for itself alone; these were for an API of the tenant, or for nobody that it knows.
  users: () => undefined,
}

function refuseResource(parameters: URLSearchParams) {
  return parameters.has('resource')
    ? {
        error: 'invalid_target',
        error_description:
          'AADSTS9010010: The resource parameter provided in the request doesn’t match with the requested scopes.',
      }
    : undefined
}

/** Opaque `ya29.` tokens; no scope `offline_access`; refresh tokens for `access_type=offline` with consent; `iss` in the redirect. */
export const GOOGLE: Vendor = {
  issuer: ({ origin }) => origin,
  metadataPath: '/.well-known/openid-configuration',
  metadata: ({ origin }) => ({
    revocation_endpoint: `${origin}/revoke`,
    code_challenge_methods_supported: ['plain', 'S256'],
    authorization_response_iss_parameter_supported: true,
    scopes_supported: OIDC_SCOPES,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
  }),
  paths: { authorize: '/o/oauth2/v2/auth', token: '/token', userinfo: '/v1/userinfo', keys: '/oauth2/v3/certs' },
  sendsIss: true,
  authentication: 'client_secret_post',
  scopesSupported: OIDC_SCOPES,
  givesRefreshToken: ({ authorization }) =>
    authorization.get('access_type') === 'offline' && (authorization.get('prompt') ?? '').split(' ').includes('consent'),
  accessToken: () => undefined,
  opaquePrefix: 'ya29.',
  idToken: () => ({ ...USER, azp: VENDOR_CLIENT.id, hd: 'example.com', picture: 'https://example.com/alice.png' }),
  users: tellStandard('/v1/userinfo', { ...USER, hd: 'example.com' }),
}

/** No OpenID Connect; errors with status 200; form encoding unless JSON is asked for; scopes with commas; an API that wants a name. */
export const GITHUB: Vendor = {
  issuer: ({ origin }) => `${origin}/login/oauth`,
  paths: { authorize: '/login/oauth/authorize', token: '/login/oauth/access_token', userinfo: '/api/v3/user', keys: '/none' },
  sendsIss: true,
  authentication: 'client_secret_post',
  scopesSupported: ['read:user', 'user:email', 'read:org', 'user'],
  refuseToken: (_form, grant) =>
    grant === undefined
      ? { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' }
      : undefined,
  givesRefreshToken: () => false,
  accessToken: () => undefined,
  opaquePrefix: 'gho_',
  idToken: undefined,
  users: (path, request, grant) => {
    if (request.headers['user-agent'] === undefined) return FORBIDDEN
    if (grant === undefined) return undefined
    switch (path) {
      case '/api/v3/user':
        return { login: 'alice', id: 583231, name: 'Alice', email: null, type: 'User' }
      case '/api/v3/user/emails':
        return has(grant, 'user:email')
          ? [
              { email: 'alice@elsewhere.example', primary: false, verified: true, visibility: null },
              { email: 'alice@example.com', primary: true, verified: true, visibility: 'private' },
            ]
          : NOT_FOUND
      case '/api/v3/user/orgs':
        return has(grant, 'read:org') ? [{ login: 'acme', id: 1 }] : FORBIDDEN
      default:
        return NOT_FOUND
    }
  },
  sendTokens(request, response, status, answer) {
    const { id_token: _, expires_in: __, ...members } = answer
    const told = {
      ...members,
      ...(typeof members.scope === 'string' && { scope: members.scope.replaceAll(' ', ','), token_type: 'bearer' }),
    }
    if (request.headers.accept?.includes('application/json'))
      return sendJson(response, status === 401 ? 200 : Math.min(status, 200), told)
    response.writeHead(200, { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' })
    response.end(new URLSearchParams(told as Record<string, string>).toString())
  },
}

export const COGNITO_POOL = 'eu-west-1_AbCdEf123'

/** Issuer and endpoints on different hosts; access tokens without `aud`; a code without scopes cannot be exchanged; texts for truths. */
export const COGNITO: Vendor = {
  issuer: ({ origin }) => `${origin}/${COGNITO_POOL}`,
  metadataPath: `/${COGNITO_POOL}/.well-known/openid-configuration`,
  metadata: ({ origin, otherOrigin }) => ({
    jwks_uri: `${origin}/${COGNITO_POOL}/.well-known/jwks.json`,
    end_session_endpoint: `${otherOrigin}/logout`,
    revocation_endpoint: `${otherOrigin}/oauth2/revoke`,
    scopes_supported: ['openid', 'email', 'phone', 'profile'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  }),
  paths: {
    authorize: '/oauth2/authorize',
    token: '/oauth2/token',
    userinfo: '/oauth2/userInfo',
    keys: `/${COGNITO_POOL}/.well-known/jwks.json`,
  },
  endpointsElsewhere: true,
  authentication: 'client_secret_basic',
  scopesSupported: ['openid', 'email', 'phone'],
  refuseToken: (form, grant) =>
    form.get('grant_type') === 'authorization_code' && grant?.scopes.length === 0
      ? { error: 'invalid_grant', error_description: 'no scopes' }
      : undefined,
  givesRefreshToken: ({ authorization }) => authorization !== undefined,
  accessToken: ({ scopes }) => ({
    sub: SUBJECT,
    client_id: VENDOR_CLIENT.id,
    token_use: 'access',
    version: 2,
    scope: scopes.join(' '),
    username: 'alice',
    'cognito:groups': ['mcp-users'],
  }),
  idToken: () => ({
    token_use: 'id',
    'cognito:username': 'alice',
    'cognito:groups': ['mcp-users'],
    email: USER.email,
    email_verified: true,
  }),
  users: tellStandard('/oauth2/userInfo', { username: 'alice', email: USER.email, email_verified: 'true' }),
}
