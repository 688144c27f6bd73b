import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { Claims } from './claims.ts'
import { namesScope } from './scopes.ts'

/** What a token may be, beside an access token. */
export interface TokenUseRules {
  /** Whether ID tokens pass as access tokens. */
  readonly acceptIdTokens: boolean
  /** Trust domain of an issuer of JWT-SVIDs; undefined for all others. */
  readonly trustDomain?: string | undefined
}

/**
 * Refuses tokens that are not access tokens, even if they are signed by the issuer (RFC 8725 §3.11, §3.12). An explicit type takes precedence
 * over what other claims suggest.
 *
 * @param type - `typ` of the header, lower case, without `application/`
 * @throws ProxyError `token_type_wrong`
 */
export function checkTokenUse(claims: Claims, type: string | undefined, { acceptIdTokens, trustDomain }: TokenUseRules): void {
  // They say no more than that it is a JWT (RFC 7519 §5.1, RFC 7515 §4.1.9); only JWT-SVIDs may have either (JWT-SVID §2.3).
  const isGeneric = type === 'jwt' || (type === 'jose' && trustDomain !== undefined)
  if (type !== undefined && !isGeneric && type !== 'at+jwt') throw wrongType(`typ ${JSON.stringify(type.slice(0, 64))}`)
  // Security event and logout tokens (RFC 8417 §2.2, OpenID Connect Back-Channel Logout §2.4).
  if (claims.events !== undefined) throw wrongType('events: a security event or logout token')
  const statesAccess = checkStatedUse(claims, acceptIdTokens) || type === 'at+jwt'
  if (!acceptIdTokens) checkNotIdToken(claims, statesAccess)
  // RFC 7800 §3.1: the presenter must prove possession of a key. Used as a bearer token, it is stolen.
  if (claims.cnf !== undefined) throw wrongType('cnf: a sender-constrained token', 'sender_constrained')
}

/** Values of the claims `typ` (Keycloak) and `token_type` that mean something else than an access token. */
const OTHER_TYPES = new Set(['refresh', 'offline', 'logout', 'initialaccesstoken', 'registrationaccesstoken'])
/** Values that mean one (RFC 7662 §2.2, RFC 6749 §7.1). */
const ACCESS_TYPES = new Set(['bearer', 'access'])

/**
 * What issuers call their tokens: `token_use` (Cognito, Hydra), the claim `typ` (Keycloak), `token_type` (introspection).
 *
 * @returns whether the token says that it is an access token
 */
function checkStatedUse(claims: Claims, acceptIdTokens: boolean): boolean {
  const use = parseUse(claims.token_use)
  const types = [parseUse(claims.typ), parseUse(claims.token_type)].filter((type) => type !== undefined)
  const isId = use === 'id' || types.includes('id')
  const isOther = (use !== undefined && use !== 'access' && use !== 'id') || types.some((type) => OTHER_TYPES.has(type))
  if (isOther || (isId && !acceptIdTokens))
    throw wrongType(`token_use ${use ?? '-'}, typ ${types.join(', ') || '-'}`, isId ? 'id_token' : 'other_use')
  return use === 'access' || types.some((type) => ACCESS_TYPES.has(type))
}

/** `access_token` and `access` are the same use; what is no string is no use that we know. */
function parseUse(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string'
    ? value
        .toLowerCase()
        .replace(/_token$/, '')
        .slice(0, 64)
    : 'unknown'
}

/** Hashes of what was issued together with an ID token (OpenID Connect Core 1.0 §3.1.3.6 and §3.3.2.11, FAPI 1.0 part 2 §5.1). */
const ID_TOKEN_HASHES = ['at_hash', 'c_hash', 's_hash']

function checkNotIdToken(claims: Claims, statesAccess: boolean): void {
  const hash = ID_TOKEN_HASHES.find((name) => claims[name] !== undefined)
  if (hash !== undefined) throw wrongType(`${hash}: an ID token`, 'id_token')
  if (statesAccess) return
  if (claims.nonce !== undefined) throw wrongType('nonce: an ID token', 'id_token')
  if (isLikeIdToken(claims)) throw wrongType('for a client, about its sign-in, without scopes: an ID token', 'id_token')
}

/** What ID tokens say of the sign-in (OpenID Connect Core 1.0 §2, Front-Channel Logout 1.0 §3). */
const SESSION_CLAIMS = ['sid', 'auth_time']
/** What they also say where they name the client twice: of how, and of the user (Core 1.0 §2, §5.1). */
const USER_CLAIMS = [...SESSION_CLAIMS, 'acr', 'amr', 'email', 'email_verified', 'name', 'preferred_username']
/** Claims by which access tokens name their client (RFC 9068 §2.2; Okta, Entra ID). */
const CLIENT_CLAIMS = ['azp', 'client_id', 'cid', 'appid']

/**
 * Whether a token without an explicit type has the form of an ID token: its audience is the client that it was issued to (`azp`), or the
 * audience is no resource and no client is named. An access token of that form has scopes.
 */
function isLikeIdToken(claims: Claims): boolean {
  if (namesScope(claims)) return false
  const audiences: readonly unknown[] = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  if (claims.azp !== undefined) return audiences.includes(claims.azp) && hasAny(claims, USER_CLAIMS)
  return !hasAny(claims, CLIENT_CLAIMS) && audiences.some(isClientIdLike) && hasAny(claims, SESSION_CLAIMS)
}

/** Resources are URIs (RFC 8707 §2), client ids hardly ever. */
function isClientIdLike(audience: unknown): boolean {
  return typeof audience === 'string' && !audience.includes(':')
}

function hasAny(claims: Claims, names: readonly string[]): boolean {
  return names.some((name) => claims[name] !== undefined)
}

function wrongType(cause: string, reason: ReasonOf<'token_type_wrong'> = 'other_use'): ProxyError {
  return new ProxyError('token_type_wrong', { reason, cause })
}
