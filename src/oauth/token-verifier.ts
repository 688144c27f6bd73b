import { hash } from 'node:crypto'
import { isAccessKey } from '../core/access-key.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Assurance, Principal } from '../core/principal.ts'
import { type AudienceCheck, createAudienceCheck } from './audience.ts'
import { createIssuerPool, type Issuer, type IssuerPool } from './issuer.ts'
import { looksLikeJwt, parseSignedJwt, type SignedJwt } from './jws.ts'
import { type VerifiedJwt, verifyClaims, verifyJwt } from './jwt-verifier.ts'
import { listNetworks } from './networks.ts'
import { verifyIntrospected } from './opaque-verifier.ts'
import { isOfTrustDomain } from './spiffe.ts'
import { createTokenCache, type TokenCache } from './token-cache.ts'

export interface TokenVerifierOptions {
  readonly issuers: readonly IssuerPlan[]
  /** Accepted audiences. */
  readonly audiences: readonly string[]
  /** `signature_only`: tokens that name no audience pass, and their principal says so. A wrong audience never passes. `audience` unless given. */
  readonly leastAssurance?: Assurance
  /** Verified tokens that are remembered; 10,000 unless given. */
  readonly cacheEntries?: number
  readonly clock?: Clock
  /** Called when an issuer's keys cannot be fetched; see {@link IssuerPool}. Not used with `pool`. */
  readonly onIssue?: (message: string) => void
  /** Issuers that are shared with other verifiers. The creator of the pool closes it. */
  readonly pool?: IssuerPool
}

/** A token verifier that keeps keys and tokens, and can be asked how it is. */
export interface WarmTokenVerifier extends TokenVerifier {
  /** Whether the tokens of every issuer can be checked now. */
  isReady(): boolean
  /** Starts to fetch the issuers' keys in the background. */
  warm(): void
  /** Stops the background work. */
  close(): Promise<void>
}

const MAX_CACHED = 10_000
const MAX_LENGTH = 16 * 1024

interface Verification {
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly introspecting: readonly Issuer[]
  readonly audience: AudienceCheck
  readonly cache: TokenCache
  readonly clock: Clock
  /** What was shown last and is not known: most often it is verified next, so that its digest is made once. */
  unknown: { readonly token: string; readonly digest: string } | undefined
}

/**
 * Creates the verifier of one server. A signed JWT is verified with the keys of the issuer that it names; any other token is introspected at
 * the server's issuers that have introspection. `verify` throws synchronously where it needs no I/O, and rejects otherwise.
 *
 * @throws Error when an issuer is configured twice
 */
export function createTokenVerifier(options: TokenVerifierOptions): WarmTokenVerifier {
  const clock = options.clock ?? systemClock
  const pool = options.pool ?? createIssuerPool({ clock, ...(options.onIssue && { onIssue: options.onIssue }) })
  const issuers = options.issuers.map((plan) => pool.find(plan))
  const verification: Verification = {
    issuers: indexIssuers(issuers),
    introspecting: issuers.filter((issuer) => issuer.introspection !== undefined),
    audience: createAudienceCheck(options.audiences, options.leastAssurance),
    cache: createTokenCache(options.cacheEntries ?? MAX_CACHED, clock),
    clock,
    unknown: undefined,
  }
  return {
    verify: (token, address = '') => verify(token, address, verification),
    recall: (credentials) => recall(credentials, verification),
    isReady: () => issuers.every((issuer) => issuer.isReady()),
    warm() {
      for (const issuer of issuers) issuer.warm()
    },
    close: async () => (options.pool === undefined ? pool.close() : undefined),
  }
}

function indexIssuers(issuers: readonly Issuer[]): ReadonlyMap<string, Issuer> {
  const byIdentifier = new Map(issuers.map((issuer) => [issuer.plan.issuer, issuer]))
  if (byIdentifier.size < issuers.length) throw new Error('an issuer is configured twice for one server')
  return byIdentifier
}

/** The digest is over the exact characters, so a hit is a verified token although its syntax was not checked. */
function recall(credentials: string, verification: Verification): Principal | undefined {
  if (credentials.length >= MAX_LENGTH) return undefined
  const digest = hash('sha256', credentials, 'hex')
  try {
    const known = findKnown(credentials, digest, verification)
    if (known === undefined) verification.unknown = { token: credentials, digest }
    return known
  } catch (error) {
    // By now it is refused: `verify` says why.
    if (error instanceof ProxyError) return undefined
    throw error
  }
}

/**
 * Finds the principal of a token that was verified before.
 *
 * @throws ProxyError `token_*` where it would be refused by now
 */
function findKnown(token: string, digest: string, verification: Verification): Principal | undefined {
  const { cache } = verification
  const known = cache.find(digest)
  if (known !== undefined) return known
  const signer = cache.findSigner(digest)
  return signer === undefined ? undefined : verifyAgain({ token, digest, signer }, verification)
}

interface SeenToken {
  readonly token: string
  readonly digest: string
  /** Fingerprint of the key that has verified its signature. */
  readonly signer: string
}

/** Verifies all but the signature of a token: that a key verifies these characters does not change. Whether the key still counts may. */
function verifyAgain({ token, digest, signer }: SeenToken, verification: Verification): Principal | undefined {
  const jwt = parseSignedJwt(token)
  const issuer = findIssuer(jwt, verification.issuers)
  if (!issuer.keys.holds(signer)) return undefined
  const principal = verifyClaims(jwt, { ...verification, plan: issuer.plan })
  keep({ principal, keyFingerprint: signer }, digest, issuer, verification)
  return principal
}

function keep({ principal, keyFingerprint }: VerifiedJwt, digest: string, { keys }: Issuer, { cache }: Verification): void {
  const entry = {
    principal,
    acceptedUntil: principal.acceptedUntil * 1000,
    freshUntil: Number.POSITIVE_INFINITY,
    isStillTrusted: () => keys.holds(keyFingerprint),
  }
  cache.addSigned(digest, entry, keyFingerprint)
}

function verify(token: string, address: string, verification: Verification): Principal | Promise<Principal> {
  if (isAccessKey(token))
    throw new ProxyError('token_invalid', { reason: 'access_key_unknown', cause: 'access keys are no tokens of issuers' })
  // Before the digest: the work must not grow with the length of a stranger's input.
  if (token.length >= MAX_LENGTH) throw new ProxyError('token_invalid', { reason: 'malformed', cause: 'longer than 16 KiB' })
  const unknownDigest = takeUnknown(token, verification)
  const digest = unknownDigest ?? hash('sha256', token, 'hex')
  const known = unknownDigest === undefined ? findKnown(token, digest, verification) : undefined
  if (known !== undefined) return known
  if (!looksLikeJwt(token)) return verifyOpaque({ token, digest, asker: listNetworks(address)[0] }, verification)
  const jwt = parseSignedJwt(token)
  return verifySigned({ jwt, digest, asker: address }, findIssuer(jwt, verification.issuers), verification)
}

/** @returns the digest of a token that was to be recalled just now, and is not known */
function takeUnknown(token: string, verification: Verification): string | undefined {
  const { unknown } = verification
  verification.unknown = undefined
  return unknown?.token === token ? unknown.digest : undefined
}

/** The claim is not verified yet. It only selects the keys that may prove it. */
function findIssuer({ claims }: SignedJwt, issuers: ReadonlyMap<string, Issuer>): Issuer {
  const { iss } = claims
  const ofTrustDomain = iss === undefined ? findOfTrustDomain(claims.sub, issuers) : undefined
  if (ofTrustDomain !== undefined) return ofTrustDomain
  if (typeof iss !== 'string') throw new ProxyError('token_invalid', { reason: 'claim_invalid', cause: 'iss is not a string' })
  const issuer = issuers.get(iss)
  if (issuer !== undefined) return issuer
  const expected = [...issuers.keys()].map((identifier) => JSON.stringify(identifier)).join(' or ')
  throw new ProxyError('token_issuer_unknown', { cause: `iss is ${JSON.stringify(iss.slice(0, 200))}, not ${expected}` })
}

/** JWT-SVIDs need no `iss` (JWT-SVID §3): their subject says whose keys may prove them. */
function findOfTrustDomain(subject: unknown, issuers: ReadonlyMap<string, Issuer>): Issuer | undefined {
  for (const issuer of issuers.values()) {
    const { trustDomain } = issuer.plan
    if (trustDomain !== undefined && isOfTrustDomain(subject, trustDomain)) return issuer
  }
  return undefined
}

interface SignedQuestion {
  readonly jwt: SignedJwt
  readonly digest: string
  /** Address of the client that showed it. */
  readonly asker: string
}

async function verifySigned(
  { jwt, digest, asker }: SignedQuestion,
  issuer: Issuer,
  verification: Verification,
): Promise<Principal> {
  const { plan, keys } = issuer
  const { audience, clock } = verification
  const verifying = verifyJwt(jwt, { plan, keys, audience, clock, asker })
  const verified = verifying instanceof Promise ? await verifying : verifying
  keep(verified, digest, issuer, verification)
  return verified.principal
}

/** An opaque token, and the network of the client that showed it. */
interface Question {
  readonly token: string
  readonly digest: string
  readonly asker: string
}

/** Asks one issuer after the other, in the order of the configuration. */
async function verifyOpaque(question: Question, verification: Verification): Promise<Principal> {
  if (!/^[\x21-\x7e]+$/.test(question.token))
    throw new ProxyError('token_invalid', { reason: 'malformed', cause: 'characters that tokens do not have' })
  let unavailable: unknown
  for (const issuer of verification.introspecting) {
    try {
      const principal = await introspectAt(issuer, question, verification)
      if (principal !== undefined) return principal
    } catch (error) {
      if (!(error instanceof ProxyError) || error.code !== 'issuer_unavailable') throw error
      unavailable = error
    }
  }
  throw unavailable ?? refuseOpaque(verification)
}

function refuseOpaque({ introspecting }: Verification): ProxyError {
  return introspecting.length === 0
    ? new ProxyError('token_invalid', {
        reason: 'introspection_missing',
        cause: 'not a signed JWT, and no issuer of this server has introspection',
      })
    : new ProxyError('token_invalid', {
        reason: 'not_active',
        cause: 'not a signed JWT, and not active according to introspection',
      })
}

async function introspectAt(
  { plan, introspection }: Issuer,
  { token, digest, asker }: Question,
  { audience, cache, clock }: Verification,
): Promise<Principal | undefined> {
  const claims = await introspection?.introspect(token, digest, asker)
  if (claims === undefined) return undefined
  const principal = verifyIntrospected(claims, plan, audience, clock)
  cache.add(digest, {
    principal,
    acceptedUntil: principal.acceptedUntil * 1000,
    freshUntil: clock.monotonic() + (plan.introspection?.cacheSeconds ?? 0) * 1000,
    isStillTrusted: () => true,
  })
  return principal
}
