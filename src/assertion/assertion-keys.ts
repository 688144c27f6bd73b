import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { SigningJwk } from '../oauth/signing-keys.ts'

/** A key that signs assertions. */
export interface AssertionKey {
  readonly keyId: string
  /** Signs the header and payload of a JWS (RFC 7515 §5.1) with ES256. */
  sign(input: string): string
  /** What is published of it (RFC 7517 §4). */
  readonly publicJwk: Readonly<Record<string, string>>
}

/** The keys of one server. */
export interface AssertionKeys {
  /** The one that signs now. */
  readonly signing: AssertionKey
  /** All that verifiers may need: the one that signs, those of before, and the next. */
  readonly published: readonly AssertionKey[]
}

/** Keys of the configuration. The id of each is its thumbprint, so that all replicas call it the same (RFC 7638). */
export function createConfiguredKeys(keys: readonly { readonly privateKey: string }[]): AssertionKeys {
  const [signing, ...others] = keys.map(({ privateKey }) => createAssertionKey(parseKey(privateKey), undefined))
  if (signing === undefined) throw new Error('there is no key to sign assertions with')
  return { signing, published: [signing, ...others] }
}

/** Keys of the store, as they are now. */
export function createStoredKeys(keys: { readonly current: readonly [SigningJwk, ...SigningJwk[]] }): AssertionKeys {
  let from: readonly SigningJwk[] | undefined
  let made: readonly AssertionKey[] = []
  const list = (): readonly AssertionKey[] => {
    if (from === keys.current) return made
    from = keys.current
    made = from.map((jwk) => createAssertionKey(createPrivateKey({ key: jwk, format: 'jwk' }), jwk.kid))
    return made
  }
  return {
    get signing() {
      return list()[0] as AssertionKey
    },
    get published() {
      return list()
    },
  }
}

function parseKey(text: string): KeyObject {
  const trimmed = text.trim()
  return trimmed.startsWith('{') ? createPrivateKey({ key: JSON.parse(trimmed), format: 'jwk' }) : createPrivateKey(trimmed)
}

function createAssertionKey(key: KeyObject, keyId: string | undefined): AssertionKey {
  // The public part alone: nothing of the private one can get into what is published.
  const { kty = '', crv = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const kid = keyId ?? createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
  return {
    keyId: kid,
    publicJwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' },
    sign: (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  }
}
