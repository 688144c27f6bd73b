import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { findRsaProblem } from './rsa.ts'
import { isUsualRsaKey } from './rsa-signature.ts'

/** A public key that verifies signatures. */
export interface VerificationKey {
  readonly keyId: string | undefined
  /** Algorithms (`alg`, RFC 7518 §3.1) that may be used with it. */
  readonly algorithms: readonly string[]
  readonly key: KeyObject
  /** Whether signatures are checked at once; see {@link isUsualRsaKey}. */
  readonly isUsualRsa: boolean
  /** Identifies this key together with its key id. */
  readonly fingerprint: string
}

/** A JSON Web Key as it came: nothing is known of its members yet. */
export type UnknownJwk = Readonly<Record<string, unknown>>

const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
/** RFC 9864 names Ed25519; RFC 8037 called the same thing EdDSA. */
const ED25519_ALGORITHMS = ['EdDSA', 'Ed25519']

interface Curve {
  readonly algorithms: readonly string[]
  readonly coordinateBytes: number
}

const EC_CURVES: ReadonlyMap<unknown, Curve> = new Map([
  ['P-256', { algorithms: ['ES256'], coordinateBytes: 32 }],
  ['P-384', { algorithms: ['ES384'], coordinateBytes: 48 }],
  ['P-521', { algorithms: ['ES512'], coordinateBytes: 66 }],
])

/** Members that only private or symmetric keys have (RFC 7518 §6). */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/**
 * Reads a key of a JWK Set.
 *
 * @param published - the key as published
 * @returns the key; undefined when it is not for signatures that we support; or what is wrong with it
 */
export function parseVerificationKey(published: UnknownJwk): VerificationKey | string | undefined {
  // Some servers write every member that a key may have.
  const jwk = Object.fromEntries(Object.entries(published).filter(([, value]) => value !== null))
  const problem = findProblem(jwk)
  if (problem !== undefined) return problem
  if (!isForSignatures(jwk)) return undefined
  try {
    const parameters = parseKeyParameters(jwk)
    if (parameters === undefined || typeof parameters === 'string') return parameters
    const algorithms = narrowAlgorithms(parameters.algorithms, jwk.alg)
    if (algorithms.length === 0) return undefined
    const keyId = jwk.kid as string | undefined
    const fingerprint = JSON.stringify([keyId ?? null, algorithms, hash('sha256', JSON.stringify(parameters.jwk), 'base64url')])
    return { keyId, algorithms, key: parameters.key, isUsualRsa: isUsualRsaKey(parameters.key), fingerprint }
  } catch {
    // OpenSSL refuses invalid keys, such as a point that is not on the curve.
    return 'the key material is invalid'
  }
}

/** Members that a published key must not have. */
function findProblem(jwk: UnknownJwk): string | undefined {
  if (jwk.kty === 'oct') return 'a symmetric key has been published'
  const secret = SECRET_MEMBERS.find((member) => jwk[member] !== undefined)
  if (secret !== undefined) return `private key material (${secret}) has been published`
  return jwk.kid === undefined || typeof jwk.kid === 'string' ? undefined : 'kid is not a string'
}

/** `use` and `key_ops` (RFC 7517 §4.2, §4.3). */
function isForSignatures({ use, key_ops: operations }: UnknownJwk): boolean {
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

interface KeyParameters {
  readonly key: KeyObject
  readonly algorithms: readonly string[]
  /** The members that make the key, and no others. */
  readonly jwk: Readonly<Record<string, string>>
}

function parseKeyParameters(jwk: UnknownJwk): KeyParameters | string | undefined {
  switch (jwk.kty) {
    case 'RSA':
      return parseRsa(jwk)
    case 'EC':
      return parseEc(jwk)
    case 'OKP':
      return parseOkp(jwk)
    default:
      return undefined
  }
}

function parseRsa(jwk: UnknownJwk): KeyParameters | string {
  const n = decodeMember(jwk.n)
  const e = decodeMember(jwk.e)
  if (n === undefined || e === undefined) return 'n or e is not base64url'
  const problem = findRsaProblem(n, e, 'issuer')
  if (problem !== undefined) return problem
  return createKeyParameters({ e: jwk.e as string, kty: 'RSA', n: jwk.n as string }, RSA_ALGORITHMS)
}

function parseEc(jwk: UnknownJwk): KeyParameters | string | undefined {
  const curve = EC_CURVES.get(jwk.crv)
  if (curve === undefined) return undefined
  // RFC 7518 §6.2.1.2: coordinates have the full length of the curve's field.
  const isFull = (member: unknown) => decodeMember(member)?.length === curve.coordinateBytes
  if (!isFull(jwk.x) || !isFull(jwk.y)) return 'x or y has not the length of the curve'
  return createKeyParameters({ crv: jwk.crv as string, kty: 'EC', x: jwk.x as string, y: jwk.y as string }, curve.algorithms)
}

function parseOkp(jwk: UnknownJwk): KeyParameters | string | undefined {
  if (jwk.crv !== 'Ed25519') return undefined
  if (decodeMember(jwk.x)?.length !== 32) return 'x has not the length of the curve'
  return createKeyParameters({ crv: 'Ed25519', kty: 'OKP', x: jwk.x as string }, ED25519_ALGORITHMS)
}

function createKeyParameters(jwk: Readonly<Record<string, string>>, algorithms: readonly string[]): KeyParameters {
  return { key: createPublicKey({ key: jwk, format: 'jwk' }), algorithms, jwk }
}

function decodeMember(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? decodeBase64url(value) : undefined
}

function narrowAlgorithms(fitting: readonly string[], alg: unknown): readonly string[] {
  if (alg === undefined) return fitting
  if (fitting === ED25519_ALGORITHMS) return ED25519_ALGORITHMS.includes(alg as string) ? fitting : []
  return fitting.filter((algorithm) => algorithm === alg)
}

/**
 * Decodes base64url without padding (RFC 7515 §2), in its only canonical form: unused bits are zero, and there are no other characters.
 *
 * @returns undefined for an empty text and for any other form
 */
export function decodeBase64url(text: string): Buffer | undefined {
  // The decoder skips unknown characters; only a text that the result encodes to again is canonical.
  const bytes = Buffer.from(text, 'base64url')
  return text !== '' && bytes.toString('base64url') === text ? bytes : undefined
}
