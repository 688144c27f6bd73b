import { decodeBase64url } from './jwk.ts'
import { findRsaProblem } from './rsa.ts'

/** Each key that fits an assertion is tried. */
const MAX_KEYS = 20

/**
 * Why a client's key set is unusable or too expensive to verify with; undefined when it is neither. The client chooses the keys and how
 * often we use them.
 */
export function findClientKeysProblem(keys: unknown): string | undefined {
  if (!Array.isArray(keys)) return undefined
  if (keys.length > MAX_KEYS) return `more than ${MAX_KEYS} keys`
  return keys.map(findProblem).find((problem) => problem !== undefined)
}

/** Other keys have the size of their curve. */
function findProblem(jwk: unknown): string | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined
  const { kty, n, e } = jwk as { readonly [member: string]: unknown }
  if (kty !== 'RSA') return undefined
  const [modulus, exponent] = [n, e].map((member) => (typeof member === 'string' ? decodeBase64url(member) : undefined))
  if (modulus === undefined || exponent === undefined) return 'n or e is not base64url'
  return findRsaProblem(modulus, exponent, 'stranger')
}
