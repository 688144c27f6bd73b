import { ACCESS_KEY_ISSUER } from '../core/access-key.ts'
import { createKeyPrincipal } from '../core/access-key-principal.ts'
import { ProxyError } from '../core/errors.ts'
import { normalizeGroup } from '../core/group-name.ts'
import { parseExactJson } from '../core/json/exact-json.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { Principal } from '../core/principal.ts'
import { createPrincipal } from '../oauth/claims.ts'
import { createTokenVerifier } from '../oauth/token-verifier.ts'

/** What only a test or a question says of a principal, instead of its token. */
export interface PrincipalOverrides {
  readonly scopes?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
}

/** The claims do not say which of several issuers they are of. */
export class UnknownIssuerError extends Error {}

/**
 * The principal of a token with these claims. Signature, audience and times are not looked at: there is no token.
 *
 * @throws ProxyError as for a token with these claims; UnknownIssuerError
 */
export function createPrincipalOfClaims(
  claims: Readonly<Record<string, unknown>>,
  { issuers }: ServerPlan,
  { scopes, groups }: PrincipalOverrides = {},
): Principal {
  const principal =
    claims.iss === ACCESS_KEY_ISSUER
      ? createPrincipalOfKey(claims)
      : createPrincipal(claims, findIssuer(claims, issuers), 'audience', Number.POSITIVE_INFINITY)
  const scoped = scopes ? { ...principal, scopes: new Set(scopes) } : principal
  if (groups === undefined) return scoped
  const { groupsUnknown: _, ...known } = scoped
  return { ...known, groups: groups.map(normalizeGroup) }
}

/** Claims of the issuer that only access keys have. */
function createPrincipalOfKey({ sub, client_id: name, scope }: Readonly<Record<string, unknown>>): Principal {
  if (typeof name !== 'string' || (sub !== undefined && typeof sub !== 'string'))
    throw new ProxyError('token_invalid', { reason: 'claim_invalid', cause: 'client_id is missing, or no name, or sub is none' })
  const user = sub === undefined ? undefined : { issuer: ACCESS_KEY_ISSUER, subject: sub }
  const scopes = typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : []
  const terms = { digest: '', servers: [], addresses: [], createdAt: undefined, expiresAt: Number.POSITIVE_INFINITY }
  return createKeyPrincipal({ ...terms, name, user, scopes })
}

/** @param text - a JSON object; see `isJsonObject` */
export function parseClaims(text: string): Readonly<Record<string, unknown>> {
  return parseExactJson(text) as Record<string, unknown>
}

function findIssuer({ iss }: Readonly<Record<string, unknown>>, issuers: readonly IssuerPlan[]): IssuerPlan {
  const [first, ...others] = issuers
  const accepted = issuers.map(({ issuer }) => issuer).join(', ')
  if (iss === undefined) {
    if (first === undefined || others.length > 0) throw new UnknownIssuerError(`name one of the issuers: ${accepted}`)
    return first
  }
  if (typeof iss !== 'string') throw new ProxyError('token_invalid', { reason: 'claim_invalid', cause: 'iss is not a string' })
  const found = issuers.find(({ issuer }) => issuer === iss)
  if (found !== undefined) return found
  throw new ProxyError('token_issuer_unknown', { cause: `iss is ${JSON.stringify(iss.slice(0, 200))}, not ${accepted}` })
}

/**
 * Verifies a token as the server would that of a request.
 *
 * @throws ProxyError where it is refused, or cannot be checked
 */
export async function verifyToken(token: string, { issuers, audiences }: ServerPlan): Promise<Principal> {
  const verifier = createTokenVerifier({ issuers, audiences })
  try {
    return await verifier.verify(token)
  } finally {
    await verifier.close()
  }
}
