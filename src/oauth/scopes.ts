/** `scope-token` (RFC 6749 §3.3). What isn't one could never be asked for in a challenge. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Collects the scopes of a token.
 *
 * A string is split at spaces (RFC 6749 §3.3) and commas (as some issuers separate them), at nothing else: a tab or a no-break space
 * doesn't begin a new scope. The items of an array are taken whole. What is no scope token is left out.
 *
 * @param claims - of a verified token
 * @param scopeClaims - claims that hold scopes; dots reach into objects unless a claim has just that name
 */
export function collectScopes(claims: Readonly<Record<string, unknown>>, scopeClaims: readonly string[]): ReadonlySet<string> {
  const scopes = new Set<string>()
  for (const name of scopeClaims) {
    for (const scope of parseScopes(findClaim(claims, name))) if (SCOPE_TOKEN.test(scope)) scopes.add(scope)
  }
  return scopes
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
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}
