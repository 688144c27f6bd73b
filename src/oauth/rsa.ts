import { isRocaModulus } from './roca.ts'

/**
 * Bits of a modulus. The time of a verification grows with its square, and bigger keys gain nothing. Issuers are chosen by the operator;
 * strangers choose both the key and how often it is used.
 */
const MAX_BITS = { issuer: 8192, stranger: 4096 } as const
const MIN_BITS = 2048
/** Time goes with the bits of the exponent, too; 65537 is what keys have, a few have 3 or 17. */
const MAX_EXPONENT = 2n ** 32n

/**
 * What is wrong with the numbers of an RSA key; undefined when it can be used.
 *
 * @param n - modulus, big-endian
 * @param e - exponent, big-endian
 * @param owner - whose key it is
 */
export function findRsaProblem(n: Buffer, e: Buffer, owner: keyof typeof MAX_BITS): string | undefined {
  const bits = countBits(n)
  if (bits < MIN_BITS || bits > MAX_BITS[owner]) return `an RSA modulus of ${bits} bits`
  if (!isUsableExponent(e)) return 'an RSA exponent that is not usable'
  // Last, because it is the most expensive check.
  return isRocaModulus(toNumber(n)) ? 'an RSA modulus of a faulty generator (CVE-2017-15361)' : undefined
}

/** With an exponent of one a signature is its own message. */
function isUsableExponent(e: Buffer): boolean {
  if (countBits(e) > 64) return false
  const exponent = toNumber(e)
  return exponent >= 3n && exponent % 2n === 1n && exponent < MAX_EXPONENT
}

function countBits(bytes: Buffer): number {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24)
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`)
}
