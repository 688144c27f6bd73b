import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import { hashId } from '../../core/hash-id.ts'
import type { IssuerPlan } from '../../core/plan/issuer-plan.ts'
import type { Store } from '../../core/store.ts'
import { createAudienceCheck } from '../../oauth/audience.ts'
import { type Claims, checkTimes } from '../../oauth/claims.ts'
import type { IssuerPool } from '../../oauth/issuer.ts'
import { parseSignedJwt, type SignedJwt } from '../../oauth/jws.ts'
import { verifyIssuer } from '../../oauth/jwt-verifier.ts'
import type { SingleUse } from '../storage/single-use.ts'

/** An identity provider's word that a client may act for a user here (ID-JAG). */
export interface IdentityAssertion {
  readonly issuer: string
  readonly subject: string
  /** Resources that it is for; never empty. */
  readonly resources: readonly string[]
  /** Scopes that the identity provider allows; undefined where it leaves that to us. */
  readonly scopes: readonly string[] | undefined
  readonly claims: Claims
}

export interface IdentityAssertions {
  /**
   * Verifies an assertion (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1, RFC 7523 §3).
   *
   * @param clientId - who showed it, authenticated
   * @throws ProxyError `token_*`, `issuer_unavailable`
   */
  verify(assertion: string, clientId: string): Promise<IdentityAssertion>
  /**
   * Marks an assertion as used: last, so that what is refused for another reason stays good.
   *
   * @throws ProxyError `token_invalid` when it was used before, here or in another process
   */
  use(assertion: IdentityAssertion): Promise<void>
}

export interface IdentityAssertionOptions {
  readonly issuers: readonly IssuerPlan[]
  readonly pool: IssuerPool
  /** Our own issuer identifier. */
  readonly audience: string
  readonly store: Store
  readonly singleUse: SingleUse
  readonly clock: Clock
}

const TYPE = 'oauth-id-jag+jwt'
/** Each is remembered until it ends, and is meant to be used at once. */
const MAX_SECONDS = 3600
const USED = 'UsedAssertion'
/** Members that would bind the token to something which we don’t check: to ignore them is to weaken the assertion. */
const UNKNOWN_BINDINGS = ['cnf', 'authorization_details'] as const

export function createIdentityAssertions(options: IdentityAssertionOptions): IdentityAssertions {
  const { store, singleUse } = options
  const issuers = new Map(options.issuers.map((plan) => [plan.issuer, options.pool.find(limitLifetime(plan))]))
  return {
    async verify(assertion, clientId) {
      const jwt = parseSignedJwt(assertion)
      const issuer = typeof jwt.claims.iss === 'string' ? issuers.get(jwt.claims.iss) : undefined
      if (issuer === undefined) throw new ProxyError('token_issuer_unknown', { cause: 'not an issuer of identity assertions' })
      await verifyIssuer(jwt, issuer.plan, issuer.keys)
      checkType(jwt)
      checkTimes(jwt.claims, issuer.plan, options.clock.wall() / 1000)
      checkAudience(jwt.claims, options.audience)
      return readAssertion(jwt.claims, issuer.plan.issuer, clientId)
    },
    async use({ issuer, claims }) {
      // Beyond the tolerance of the clocks: as long as the assertion could pass.
      const expiresAt = (Number(claims.exp) + 120) * 1000
      const key = hashId(JSON.stringify([issuer, claims.jti]))
      await singleUse.settle(key)
      const mark = randomUUID()
      singleUse.unlessAnswered(key, () => store.take(USED, key, mark))
      const isNew = await store.add(USED, key, mark, { expiresAt })
      if (isNew !== true) throw invalid('jti: the assertion was used before')
    },
  }
}

function limitLifetime(plan: IssuerPlan): IssuerPlan {
  return { ...plan, maxLifetimeSeconds: Math.min(plan.maxLifetimeSeconds ?? MAX_SECONDS, MAX_SECONDS) }
}

/** No other token of the issuer counts as an assertion, an ID token least of all (RFC 8725 §3.11). */
function checkType({ type }: SignedJwt): void {
  if (type !== TYPE)
    throw new ProxyError('token_type_wrong', {
      reason: 'assertion_type',
      cause: `typ ${JSON.stringify((type ?? '-').slice(0, 64))}`,
    })
}

/** Another audience of the same assertion could replay it here. */
function checkAudience(claims: Claims, audience: string): void {
  if (Array.isArray(claims.aud) && claims.aud.length !== 1)
    throw new ProxyError('token_audience_mismatch', {
      reason: 'audience_shared',
      cause: 'aud must name this authorization server and no other',
    })
  createAudienceCheck([audience]).check(claims, ['aud'])
}

function readAssertion(claims: Claims, issuer: string, clientId: string): IdentityAssertion {
  for (const name of UNKNOWN_BINDINGS) if (claims[name] !== undefined) throw invalid(`${name} is not understood`)
  if (claims.client_id !== clientId) throw invalid('client_id: the assertion was given to another client')
  readText(claims, 'jti')
  if (claims.iat === undefined) throw invalid('iat is missing')
  return { issuer, subject: readText(claims, 'sub'), resources: readResources(claims), scopes: readScopes(claims), claims }
}

function readText(claims: Claims, name: string): string {
  const value = claims[name]
  if (typeof value === 'string' && value !== '' && value.length <= 1024 && !/[\x00-\x1f\x7f]/.test(value)) return value
  throw invalid(`${name} is missing or not a usable string`)
}

function readResources({ resource }: Claims): readonly string[] {
  const values: readonly unknown[] = Array.isArray(resource) ? resource : [resource]
  if (values.length > 0 && values.every((value) => typeof value === 'string')) return values
  throw invalid('resource is missing or not a list of resources')
}

function readScopes({ scope }: Claims): readonly string[] | undefined {
  if (scope === undefined) return undefined
  if (typeof scope === 'string') return scope.split(' ').filter((one) => one !== '')
  throw invalid('scope is not a string')
}

function invalid(cause: string): ProxyError {
  return new ProxyError('token_invalid', { reason: 'claim_invalid', cause })
}
