import { isObject } from '../core/is-object.ts'
import { isScopeToken } from '../core/scope-token.ts'

/** What OAuth calls scopes (RFC 8693 §4.2), and the name that Okta and Entra ID use. */
const SCOPE_CLAIMS = ['scope', 'scp'] as const

/**
 * Permissions of a user or an application at the issuer. They do not say what the client was allowed to do, so they count only for tokens
 * without any scopes (application permissions of Entra ID).
 */
const FALLBACK_CLAIMS = ['permissions', 'roles'] as const

/**
 * Collects the scopes of a token. With no claims configured, those of `scope` and `scp` count, and only where a token has neither claim,
 * those of `permissions` and `roles`.
 *
 * A string is split at spaces (RFC 6749 §3.3) and commas (as some issuers separate them), at nothing else: a tab or a no-break space
 * doesn't begin a new scope. The items of an array are taken whole. Values that are not scope tokens are left out.
 *
 * @param claims - of a verified token
 * @param scopeClaims - claims that hold scopes, all of them; dots reach into objects unless a claim has just that name
 */
export function collectScopes(
  claims: Readonly<Record<string, unknown>>,
  scopeClaims: readonly string[] | undefined,
): ReadonlySet<string> {
  const scopes = new Set<string>()
  for (const name of scopeClaims ?? chooseClaims(claims)) {
    for (const scope of parseScopes(findClaim(claims, name))) if (isScopeToken(scope)) scopes.add(scope)
  }
  return scopes
}

/** A claim that is there with nothing in it says that no scope was granted. */
function chooseClaims(claims: Readonly<Record<string, unknown>>): readonly string[] {
  return SCOPE_CLAIMS.some((name) => Object.hasOwn(claims, name)) ? SCOPE_CLAIMS : FALLBACK_CLAIMS
}

/** Whether a token names a scope as OAuth does. Permissions of a user (`roles`) are not scopes, and are in ID tokens, too. */
export function namesScope(claims: Readonly<Record<string, unknown>>): boolean {
  return collectScopes(claims, SCOPE_CLAIMS).size > 0
}

function parseScopes(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(/[ ,]/)
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Own members only: nothing that every object inherits is a claim. */
function findClaim(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}
