import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto'

/** Shortest key for sealing MCP session ids. */
const SESSION_KEY_BYTES = 32

/** A key of random bytes has nearly as many different ones as it is long. */
const MIN_DIFFERENT_BYTES = 5

/** The key that a secret stands for: Base64 (either alphabet) where that gives enough bytes, else the text itself. Undefined when too short or all zeros. */
export function decodeSessionKey(secret: string): Buffer | undefined {
  const text = secret.trim()
  const decoded = /^[\w+/-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0)
  const key = decoded.length >= SESSION_KEY_BYTES ? decoded : Buffer.from(text, 'utf8')
  return key.length >= SESSION_KEY_BYTES && key.some((byte) => byte !== 0) ? key : undefined
}

/** A key of 32 bytes from Base64 (either alphabet); undefined when it is anything else. */
export function decodeEncryptionKey(secret: string): Buffer | undefined {
  const text = secret.trim()
  const key = /^[\w+/-]{43}=?$/.test(text) ? Buffer.from(text, 'base64url') : undefined
  return key?.length === 32 ? key : undefined
}

/** Whether bytes are a pattern that anyone can write again: the same few, zeros among them, or 0, 1, 2 and so on, as in examples. */
export function isPattern(key: Uint8Array): boolean {
  const [first = 0, second = 0] = key
  const step = second - first
  return new Set(key).size < MIN_DIFFERENT_BYTES || key.every((byte, index) => byte === ((first + index * step) & 0xff))
}

/** A private key from PEM or JWK; undefined when it is neither. */
export function parsePrivateKey(secret: string): KeyObject | undefined {
  const text = secret.trim()
  try {
    return text.startsWith('{') ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' }) : createPrivateKey(text)
  } catch {
    // The reason may quote the key.
    return undefined
  }
}

/** Algorithms that a private key can sign with, best known first. Empty for keys that are too short or of another kind. */
export function listKeyAlgorithms(key: KeyObject): readonly string[] {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= 2048) {
    return ['RS256', 'PS256', 'RS384', 'RS512', 'PS384', 'PS512']
  }
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  const curves: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
  const algorithm = key.asymmetricKeyType === 'ec' ? curves[details?.namedCurve ?? ''] : undefined
  return algorithm === undefined ? [] : [algorithm]
}

/**
 * Public keys for signatures from a JWK set, a JWK or PEM, as JWKs. Empty when one of them is private, secret, too short or of another
 * kind: such a file should not be here.
 */
export function parsePublicKeys(text: string): readonly JsonWebKey[] {
  try {
    const keys = text.trim().startsWith('{') ? parseJwks(JSON.parse(text)) : [parsePublicPem(text)]
    return keys.every((key) => key !== undefined) ? keys : []
  } catch {
    // The reason may quote the file.
    return []
  }
}

function parseJwks(value: { readonly keys?: unknown }): (JsonWebKey | undefined)[] {
  const members: unknown[] = Array.isArray(value.keys) ? value.keys : [value]
  return members.map((member) => {
    const { alg, kid, use, ...jwk } = member as JsonWebKey
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if ('d' in jwk || listKeyAlgorithms(key).length === 0) return undefined
    const named = Object.entries({ alg, kid, use }).filter(([, name]) => typeof name === 'string')
    return { ...key.export({ format: 'jwk' }), ...Object.fromEntries(named) }
  })
}

function parsePublicPem(text: string): JsonWebKey | undefined {
  if (/PRIVATE KEY/.test(text)) return undefined
  const key = createPublicKey(text)
  return listKeyAlgorithms(key).length === 0 ? undefined : key.export({ format: 'jwk' })
}

/** Whether a PEM text holds certificates and nothing unreadable. */
export function isCertificateList(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block).subject !== undefined)
  } catch {
    return false
  }
}
