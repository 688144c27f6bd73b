import { createPrivateKey, createPublicKey, type webcrypto } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const KEYS_FILE = fileURLToPath(new URL('../../.cache/rsa-keys.json', import.meta.url))

/**
 * Issuers of the tests sign with RSA keys of 2048 bits. To find the primes of one takes longer than many a test, a third of the time of all.
 * So Web Crypto, which jose asks for them, gives keys that were made before ({@link KEYS_FILE}), each only once: no two issuers
 * of a test file have the same. The proxy itself makes no RSA keys.
 */
const { subtle } = crypto
const generate = subtle.generateKey.bind(subtle) as (...given: readonly unknown[]) => Promise<unknown>
const made: readonly string[] = existsSync(KEYS_FILE) ? JSON.parse(readFileSync(KEYS_FILE, 'utf8')) : []
let left = [...made]

/** Another test file begins, in a process that several share. */
export function renewRsaKeys(): void {
  left = [...made]
}

async function generateKey(
  algorithm: webcrypto.RsaHashedKeyGenParams,
  isExtractable: boolean,
  usages: readonly webcrypto.KeyUsage[],
): Promise<unknown> {
  const signs = /^RSASSA-PKCS1-v1_5$|^RSA-PSS$/.test(algorithm.name) && algorithm.modulusLength === 2048
  const bytes = signs ? left.shift() : undefined
  if (bytes === undefined) return generate(algorithm, isExtractable, usages)
  const key = Buffer.from(bytes, 'base64')
  const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  })
  const only = (usage: webcrypto.KeyUsage) => usages.filter((one) => one === usage)
  return {
    privateKey: await subtle.importKey('pkcs8', key, algorithm, isExtractable, only('sign')),
    publicKey: await subtle.importKey('spki', publicKey, algorithm, true, only('verify')),
  }
}

Object.defineProperty(subtle, 'generateKey', { value: generateKey, configurable: true })
