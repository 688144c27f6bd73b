import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Principal } from '../core/principal.ts'
import type { AudienceCheck } from './audience.ts'
import { type Claims, checkTimes, createPrincipal } from './claims.ts'
import type { VerificationKey } from './jwk.ts'
import { type SignedJwt, verifySignature } from './jws.ts'
import type { IssuerKeys } from './keys.ts'
import type { ShownToken } from './shown-token.ts'
import { isOfTrustDomain } from './spiffe.ts'
import { checkTokenUse } from './token-use.ts'

/** What a signed JWT proved. */
export interface VerifiedJwt {
  readonly principal: Principal
  /** Fingerprint of the key that verified it. */
  readonly keyFingerprint: string
}

export interface JwtVerifierOptions {
  readonly plan: IssuerPlan
  readonly keys: IssuerKeys
  readonly audience: AudienceCheck
  readonly clock: Clock
  /** Address of the client that showed it; for its network the issuer may be asked once in 30 s. */
  readonly asker?: string
}

export type ClaimsVerifierOptions = Pick<JwtVerifierOptions, 'plan' | 'audience' | 'clock'>

/**
 * Verifies a signed JWT of one issuer (RFC 7519 §7.2, RFC 8725, RFC 9068 §4).
 *
 * @param jwt - its `iss` is the issuer of the plan, or it is a JWT-SVID of its trust domain without `iss`
 * @throws ProxyError `token_*`, `issuer_unavailable`
 */
export function verifyJwt(jwt: SignedJwt, options: JwtVerifierOptions): VerifiedJwt | Promise<VerifiedJwt> {
  const verify = ({ fingerprint }: VerificationKey): VerifiedJwt => ({
    principal: verifyClaims(jwt, options),
    keyFingerprint: fingerprint,
  })
  const key = verifyIssuer(jwt, options.plan, options.keys, options.asker)
  return key instanceof Promise ? key.then(verify) : verify(key)
}

/**
 * Verifies all of a JWT but its signature.
 *
 * @param jwt - the issuer of the plan has signed it
 * @throws ProxyError `token_*`
 */
export function verifyClaims({ claims, type }: SignedJwt, { plan, audience, clock }: ClaimsVerifierOptions): Principal {
  checkTokenUse(claims, type, plan)
  checkTrustDomain(claims, plan)
  const expiresAt = checkTimes(claims, plan, clock.wall() / 1000)
  const assurance = audience.check(claims, plan.audienceClaims)
  return createPrincipal(claims, plan, assurance, expiresAt)
}

/** A bundle speaks for its own trust domain only (SPIFFE Trust Domain and Bundle §2). */
function checkTrustDomain({ sub }: Claims, { trustDomain }: IssuerPlan): void {
  if (trustDomain === undefined || isOfTrustDomain(sub, trustDomain)) return
  throw new ProxyError('token_invalid', {
    reason: 'claim_invalid',
    cause: `sub is no SPIFFE ID of the trust domain ${trustDomain}`,
  })
}

/**
 * Verifies that the issuer signed a JWT, and nothing about its purpose.
 *
 * @returns the key that verified it; synchronously where nothing has to be waited for
 * @throws ProxyError `token_invalid`, `issuer_unavailable`
 */
export function verifyIssuer(
  jwt: SignedJwt,
  plan: IssuerPlan,
  keys: IssuerKeys,
  asker = '',
): VerificationKey | Promise<VerificationKey> {
  checkAlgorithm(jwt.algorithm, plan.algorithms)
  const shown = { asker, issuedAt: jwt.claims.iat }
  const key = keys.findKey(jwt.keyId, jwt.algorithm, shown)
  return key instanceof Promise ? key.then((found) => verifyWith(found, jwt, keys, shown)) : verifyWith(key, jwt, keys, shown)
}

function verifyWith(
  key: VerificationKey,
  jwt: SignedJwt,
  keys: IssuerKeys,
  shown: ShownToken,
): VerificationKey | Promise<VerificationKey> {
  const replace = async (error: unknown): Promise<VerificationKey> => {
    const replacement = await keys.findReplacement?.(key, jwt.algorithm, shown)
    if (replacement === undefined) throw error
    await verifySignature(jwt, replacement)
    return replacement
  }
  try {
    return verifySignature(jwt, key)?.then(() => key, replace) ?? key
  } catch (error) {
    return replace(error)
  }
}

/** The configuration chooses the algorithms, the token only one of them (RFC 8725 §3.1). */
function checkAlgorithm(algorithm: string, accepted: readonly string[]): void {
  if (accepted.includes(algorithm)) return
  // Two names of one algorithm (RFC 9864 §2.2).
  const isEd25519 = algorithm === 'EdDSA' || algorithm === 'Ed25519'
  if (isEd25519 && (accepted.includes('EdDSA') || accepted.includes('Ed25519'))) return
  throw new ProxyError('token_invalid', {
    reason: 'algorithm_not_accepted',
    cause: `alg ${JSON.stringify(algorithm.slice(0, 32))} is not accepted`,
  })
}
