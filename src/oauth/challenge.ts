import { isScopeToken } from '../core/scope-token.ts'

/** What a challenge says (RFC 6750 §3, RFC 9728 §5.1). */
export interface Challenge {
  /** URL of the protected resource metadata; undefined for clients of revisions that know none. */
  readonly resourceMetadata?: string | undefined
  /** Scopes to ask for. */
  readonly scope: readonly string[]
  /** Absent when the request had no token at all (RFC 6750 §3.1). */
  readonly error?: string | undefined
  readonly errorDescription?: string | undefined
}

/**
 * Clients search for parameters with unanchored patterns, so a value that contains one of these would be taken for the parameter itself.
 */
const PARAMETER_LOOKALIKE = /(resource_metadata|scope|error|error_description)=/gi

/**
 * Writes a `WWW-Authenticate` value. The same refusal always gives the same bytes: clients break loops by comparing whole headers.
 *
 * @param challenge - what to say
 * @returns the header's value; one challenge with the scheme `Bearer`
 */
export function formatChallenge(challenge: Challenge): string {
  const parameters: string[] = []
  const { resourceMetadata, error, errorDescription } = challenge
  if (resourceMetadata !== undefined) parameters.push(`resource_metadata="${formatUrl(resourceMetadata)}"`)
  const scope = formatScope(challenge.scope)
  if (scope !== '') parameters.push(`scope="${scope}"`)
  if (error !== undefined) parameters.push(`error="${formatText(error)}"`)
  if (errorDescription !== undefined) parameters.push(`error_description="${formatText(errorDescription)}"`)
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`
}

/**
 * What a challenge for scopes asks for: what the operation needs, and what the token has already. Some clients replace their scopes by
 * those of the challenge instead of adding them (SDK v1, VS Code), and would lose the others.
 *
 * @param held - scopes of the token
 * @param compared - those that the policy of the server looks at
 */
export function listScopesToAskFor(
  held: ReadonlySet<string>,
  compared: ReadonlySet<string>,
  needed: readonly string[],
): readonly string[] {
  return [...new Set([...[...held].filter((scope) => compared.has(scope)), ...needed])].sort()
}

/** Each scope once, in the order given. A name that cannot stand in a challenge is left out. */
function formatScope(scopes: readonly string[]): string {
  const usable = scopes.filter((scope) => isScopeToken(scope) && scope.search(PARAMETER_LOOKALIKE) === -1)
  return [...new Set(usable)].join(' ')
}

/** A URL inside quotes: what could end them or be taken for a parameter is percent-encoded. */
function formatUrl(url: string): string {
  return url.replace(/[^\x21\x23-\x5b\x5d-\x7e]/gu, percentEncode).replace(PARAMETER_LOOKALIKE, '$1%3D')
}

function percentEncode(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&')
}

/** RFC 6750 §3: printable ASCII without quote and backslash, so that nothing needs escaping (some clients know no escapes). */
function formatText(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/gu, ' ').replace(PARAMETER_LOOKALIKE, '$1 ')
}
