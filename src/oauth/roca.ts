/**
 * Finds RSA moduli of the faulty generator behind CVE-2017-15361 (ROCA). Its primes are powers of 65537 modulo many small primes, and
 * so is their product; of random moduli about one in 2^27 looks that way.
 */

const GENERATOR = 65537n
const SMALL_PRIMES = [11n, 13n, 17n, 19n, 37n, 53n, 61n, 71n, 73n, 79n, 97n, 103n, 107n, 109n, 127n, 151n, 157n]

const FINGERPRINTS = SMALL_PRIMES.map((prime) => ({ prime, powers: collectPowers(prime) }))

function collectPowers(prime: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>()
  for (let power = 1n; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power)
  return powers
}

/** @param modulus - of an RSA key */
export function isRocaModulus(modulus: bigint): boolean {
  return FINGERPRINTS.every(({ prime, powers }) => powers.has(modulus % prime))
}
