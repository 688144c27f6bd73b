/**
 * Signature algorithms that can be accepted. Neither `none` nor HS*: a shared secret in the place of a public key is a classic way to
 * forge tokens (RFC 8725 §2.1).
 */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
