import type { KeyObject } from 'node:crypto'
import { compactVerify } from 'jose'
import { BoundedMap } from '../core/bounded-map.ts'
import { ProxyError } from '../core/errors.ts'
import { isObject } from '../core/is-object.ts'
import { parseExactJson } from '../core/json/exact-json.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import { decodeBase64url, type VerificationKey } from './jwk.ts'
import { isRsaSigned } from './rsa-signature.ts'

/** A signed JWT (RFC 7519) whose form is right and of whose content nothing is verified yet. */
export interface SignedJwt {
  /** The exact characters. */
  readonly token: string
  readonly algorithm: string
  readonly keyId: string | undefined
  /** `typ`, lower case, without `application/`; undefined when the header has none. */
  readonly type: string | undefined
  /** Claims. Not to be believed before the signature is verified. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Tokens of this length and longer are refused unread. */
const MAX_LENGTH = 16 * 1024
const MAX_DEPTH = 32
const MAX_KEY_ID_LENGTH = 1024

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `{"` */
const USUAL_BEGINNING = 'eyJ'

/**
 * Whether a token is meant as a signed JWT: three parts, the first of which decodes to the start of a JSON object. Decodes more than a JWT
 * permits, so that a damaged JWT is refused as such and not introspected as an opaque token.
 */
export function looksLikeJwt(token: string): boolean {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first === -1 || second === -1 || token.includes('.', second + 1)) return false
  if (token.startsWith(USUAL_BEGINNING)) return true
  return Buffer.from(token.slice(0, Math.min(first, 64)), 'base64url')
    .toString('latin1')
    .trimStart()
    .startsWith('{')
}

/**
 * Reads a signed JWT in compact serialization (RFC 7515 §7.1). Each token has exactly one spelling: base64url must be canonical, JSON
 * unambiguous.
 *
 * @throws ProxyError `token_invalid`, `token_type_wrong`
 */
export function parseSignedJwt(token: string): SignedJwt {
  if (token.length >= MAX_LENGTH) throw malformed('longer than 16 KiB')
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  if (more.length > 0 || decodeBase64url(signature) === undefined) throw malformed('not three parts of canonical base64url')
  const { algorithm, keyId, type } = recallHeader(header) ?? parseHeader(header)
  return { token, algorithm, keyId, type, claims: parseObject(payload, 'payload') }
}

type JoseHeader = Pick<SignedJwt, 'algorithm' | 'keyId' | 'type'>

/** Headers that were accepted, by their exact characters: all tokens that an issuer signs with one key have the same. */
const HEADERS = new BoundedMap<string, JoseHeader>(64)
const MAX_REMEMBERED_LENGTH = 1024

function recallHeader(segment: string): JoseHeader | undefined {
  return segment.length <= MAX_REMEMBERED_LENGTH ? HEADERS.get(segment) : undefined
}

function parseHeader(segment: string): JoseHeader {
  const fields = parseObject(segment, 'header')
  checkHeader(fields)
  const header = { algorithm: parseAlgorithm(fields.alg), keyId: parseKeyId(fields.kid), type: parseType(fields.typ) }
  // A piece of a string holds the whole of it, which is a token.
  if (segment.length <= MAX_REMEMBERED_LENGTH) HEADERS.set(Buffer.from(segment, 'latin1').toString('latin1'), header)
  return header
}

function parseObject(segment: string, what: string): Readonly<Record<string, unknown>> {
  const bytes = decodeBase64url(segment)
  if (bytes === undefined) throw malformed(`${what} is not canonical base64url`)
  let value: unknown
  try {
    const text = UTF8.decode(bytes)
    checkStrictJson(text, MAX_DEPTH)
    value = parseExactJson(text)
  } catch (cause) {
    throw new ProxyError('token_invalid', { reason: 'malformed', cause: new Error(`${what} is not unambiguous JSON`, { cause }) })
  }
  if (!isObject(value)) throw malformed(`${what} is not a JSON object`)
  return value
}

function parseAlgorithm(alg: unknown): string {
  if (typeof alg !== 'string') throw malformed('alg is not a string')
  return alg
}

function parseKeyId(kid: unknown): string | undefined {
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH))
    throw malformed('kid is not a usable string')
  return kid
}

function parseType(typ: unknown): string | undefined {
  if (typ === undefined) return undefined
  if (typeof typ !== 'string') throw malformed('typ is not a string')
  // RFC 7515 §4.1.9: a media type without `application/`; compared without regard to case.
  return typ.toLowerCase().replace(/^application\//, '')
}

/** Refuses header parameters that would change what the token means. `jwk`, `jku`, `x5u`, `x5c` and `x5t` change nothing: never read. */
function checkHeader(fields: Readonly<Record<string, unknown>>): void {
  // RFC 7515 §4.1.11: extensions that must be understood. We support none; an empty list is not permitted either.
  if (fields.crit !== undefined) throw headerNotAccepted('crit')
  if (fields.b64 !== undefined) throw headerNotAccepted('b64 (RFC 7797)')
  if (fields.zip !== undefined) throw headerNotAccepted('zip')
  if (fields.enc !== undefined) throw headerNotAccepted('enc: an encrypted token')
  const { cty } = fields
  if (cty !== undefined && (typeof cty !== 'string' || /^(application\/)?jwt$/i.test(cty)))
    throw headerNotAccepted('cty: a nested token')
}

/**
 * Verifies the signature.
 *
 * @param jwt - the token
 * @param key - fits the token's algorithm
 * @returns a promise only where another thread is asked
 * @throws ProxyError `token_invalid`
 */
export function verifySignature(jwt: SignedJwt, { key, isUsualRsa }: VerificationKey): Promise<void> | undefined {
  try {
    const isSigned = isUsualRsa ? isRsaSigned(jwt.token, jwt.algorithm, key) : undefined
    if (isSigned === undefined) return verifyElsewhere(jwt, key)
    if (isSigned !== true) throw new Error('it is not by this key')
    return undefined
  } catch (cause) {
    throw unsigned(cause)
  }
}

async function verifyElsewhere({ token, algorithm }: SignedJwt, key: KeyObject): Promise<void> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] })
  } catch (cause) {
    throw unsigned(cause)
  }
}

function unsigned(cause: unknown): ProxyError {
  return new ProxyError('token_invalid', {
    reason: 'signature_invalid',
    cause: new Error('the signature does not verify', { cause }),
  })
}

function malformed(cause: string): ProxyError {
  return new ProxyError('token_invalid', { reason: 'malformed', cause })
}

function headerNotAccepted(cause: string): ProxyError {
  return new ProxyError('token_invalid', { reason: 'header_not_accepted', cause })
}
