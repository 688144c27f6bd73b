import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { Assurance } from '../core/principal.ts'

/** Decides whether claims name an audience that this server goes by. */
export interface AudienceCheck {
  /**
   * The first claim that is present decides: a token for another audience does not pass because of the client that requested it.
   *
   * @param claims - of a verified token
   * @param audienceClaims - claims that may name the audience, in order
   * @returns `signature_only` for a token that names no audience
   * @throws ProxyError `token_audience_mismatch`
   */
  check(claims: Readonly<Record<string, unknown>>, audienceClaims: readonly string[]): Assurance
}

/**
 * @param audiences - accepted audiences
 * @param leastAssurance - `signature_only` accepts tokens that name no audience
 */
export function createAudienceCheck(audiences: readonly string[], leastAssurance: Assurance = 'audience'): AudienceCheck {
  const exact = new Set(audiences)
  const accepted = new Set(audiences.map(normalizeAudience))
  return {
    check(claims, audienceClaims) {
      const present = audienceClaims.filter((name) => Object.hasOwn(claims, name))
      // An empty list names no audience; the next claim decides (Hydra).
      const claim = present.find((name) => !isEmptyList(claims[name])) ?? present[0]
      if (claim === undefined) {
        if (leastAssurance === 'signature_only') return 'signature_only'
        throw mismatch('audience_missing', `the token names no audience (${audienceClaims.join(', ')})`)
      }
      const values = parseAudiences(claims[claim])
      if (values.some((value) => exact.has(value) || accepted.has(normalizeAudience(value)))) return 'audience'
      throw mismatch('audience_other', `${claim} is ${JSON.stringify(values).slice(0, 300)}, not ${formatExpected(audiences)}`)
    },
  }
}

function formatExpected(audiences: readonly string[]): string {
  return audiences.map((audience) => JSON.stringify(audience)).join(' or ')
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** A string or an array of strings (RFC 7519 §4.1.3). Any other value names no audience. */
function parseAudiences(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.every((item) => typeof item === 'string') ? values : []
}

/** Scheme, authority, path. Only ASCII has letter case here: the Kelvin sign is no `k`. With user information the authority stays as is. */
const HIERARCHICAL_URL = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/)([^/?#@\x00-\x20\x7f-\uffff]*)((?:[/@\x00-\x20\x7f-\uffff][^?#]*)?)$/

/**
 * Normalizes an audience for comparison. URLs may differ in the letter case of scheme and host, and by one trailing slash (2026-07-28
 * basic/authorization, Canonical Server URI); everything else is compared unchanged, without decoding.
 */
export function normalizeAudience(audience: string): string {
  const parts = HIERARCHICAL_URL.exec(audience)
  if (parts === null) return audience
  const [, scheme = '', authority = '', path = ''] = parts
  return scheme.toLowerCase() + authority.toLowerCase() + (path.endsWith('/') ? path.slice(0, -1) : path)
}

function mismatch(reason: ReasonOf<'token_audience_mismatch'>, cause: string): ProxyError {
  return new ProxyError('token_audience_mismatch', { reason, cause })
}
