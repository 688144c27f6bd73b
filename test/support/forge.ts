import { constants, createHmac, KeyObject, sign } from 'node:crypto'
import type { CryptoKey } from 'jose'

/** What a forged token is made of: exact texts, or objects that become JSON. */
export interface Forgery {
  readonly header: string | Buffer | Record<string, unknown>
  readonly payload: string | Buffer | Record<string, unknown>
}

/** A private key, or a secret for HMAC. */
export type SigningKey = CryptoKey | KeyObject | string | Buffer

/** Puts a token together without any check, signed for real: RSA and EC keys by the algorithm named, secrets with HMAC. */
export function forge({ header, payload }: Forgery, key: SigningKey | undefined, algorithm = 'RS256'): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${key === undefined ? '' : signInput(Buffer.from(input), key, algorithm).toString('base64url')}`
}

/** With another character in one place, counted from the end where negative: one that is written over it might be the one that was there. */
export function changeCharacter(text: string, at: number): string {
  const place = at < 0 ? text.length + at : at
  return `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`
}

function signInput(input: Buffer, key: SigningKey, algorithm: string): Buffer {
  const digest = `sha${algorithm.slice(2)}`
  if (typeof key === 'string' || Buffer.isBuffer(key)) return createHmac(digest, key).update(input).digest()
  const keyObject = key instanceof KeyObject ? key : KeyObject.from(key)
  if (algorithm.startsWith('Ed')) return sign(null, input, keyObject)
  if (algorithm.startsWith('ES')) return sign(digest, input, { key: keyObject, dsaEncoding: 'ieee-p1363' })
  const isPss = algorithm.startsWith('PS')
  const padding = isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  return sign(digest, input, { key: keyObject, padding, ...(isPss && { saltLength: constants.RSA_PSS_SALTLEN_DIGEST }) })
}

function encode(part: Forgery['header']): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url')
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}
