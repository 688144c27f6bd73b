import { createVerify, type KeyObject } from 'node:crypto'

/** RSASSA-PKCS1-v1_5 (RFC 7518 §3.3), which `createVerify` takes for meant with an RSA key. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['RS256', 'sha256'],
  ['RS384', 'sha384'],
  ['RS512', 'sha512'],
])
const MIN_BITS = 2048
/** With more, the event loop would wait for as long as it takes to ask another thread. */
const MAX_BITS = 4096

/**
 * Whether RSASSA-PKCS1-v1_5 signatures of a key are checked at once, in this thread. That takes half as long as through WebCrypto, which asks
 * another thread; for other kinds of keys it hardly makes a difference. To ask a key for its kind takes long, too: it is done once.
 */
export function isUsualRsaKey(key: KeyObject): boolean {
  if (key.type !== 'public' || key.asymmetricKeyType !== 'rsa') return false
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  return bits >= MIN_BITS && bits <= MAX_BITS
}

/**
 * Whether a token was signed with an RSA key; undefined when its algorithm is another one than RSASSA-PKCS1-v1_5. What is signed are the characters
 * before the second dot (RFC 7515 §5.2).
 *
 * @param token - a JWT in compact serialization, of canonical base64url
 * @param key - see {@link isUsualRsaKey}
 */
export function isRsaSigned(token: string, algorithm: string, key: KeyObject): boolean | undefined {
  const digest = DIGESTS.get(algorithm)
  if (digest === undefined) return undefined
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  // Not `crypto.verify`: it makes a job for a thread, and runs it at once. And the key itself, not an object with options: that would cost as
  // much again, for two errors that Node throws and catches.
  return createVerify(digest).update(token.slice(0, end), 'latin1').verify(key, signature)
}
