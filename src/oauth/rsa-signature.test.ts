import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { compactVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { isRsaSigned, isUsualRsaKey } from './rsa-signature.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

function encode(alg: string): string {
  return [{ alg }, { sub: 'alice' }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
}

function mint(alg: string, digest: string, more: { padding?: number; saltLength?: number; key?: KeyObject } = {}): string {
  const input = encode(alg)
  return `${input}.${sign(digest, Buffer.from(input), { key: privateKey, ...more }).toString('base64url')}`
}

function verifyWithJose(token: string, alg: string): Promise<boolean> {
  return compactVerify(token, publicKey, { algorithms: [alg] }).then(
    () => true,
    () => false,
  )
}

/** A public key of a length. To make one with a private key takes seconds. */
function createRsaKey(bits: number): KeyObject {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url')
  return createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
}

const ALGORITHMS = [
  ['RS256', 'sha256'],
  ['RS384', 'sha384'],
  ['RS512', 'sha512'],
] as const

describe('an RSA signature', () => {
  it.each(ALGORITHMS)('with %s verifies as it does with jose, and with no bit changed', async (alg, digest) => {
    const token = mint(alg, digest)
    expect(isRsaSigned(token, alg, publicKey)).toBe(true)
    expect(await verifyWithJose(token, alg)).toBe(true)
    for (const at of [3, token.indexOf('.') + 2, token.lastIndexOf('.') + 5]) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect(isRsaSigned(changed, alg, publicKey)).toBe(false)
      expect(await verifyWithJose(changed, alg)).toBe(false)
    }
  })

  it.each(ALGORITHMS)('with %s does not pass for one of another algorithm', async (alg, digest) => {
    for (const [other] of ALGORITHMS.filter(([name]) => name !== alg)) {
      const token = mint(other, digest)
      expect(isRsaSigned(token, other, publicKey)).toBe(false)
      expect(await verifyWithJose(token, other)).toBe(false)
    }
  })

  it.each(ALGORITHMS)('with the padding of PSS does not pass for %s', (alg, digest) => {
    const token = mint(alg, digest, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST })
    expect(isRsaSigned(token, alg, publicKey)).toBe(false)
  })

  it('of another key does not verify', () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    expect(isRsaSigned(mint('RS256', 'sha256', { key: other }), 'RS256', publicKey)).toBe(false)
  })

  it('has exactly the length of the modulus', () => {
    const token = mint('RS256', 'sha256')
    const end = token.lastIndexOf('.') + 1
    const signature = Buffer.from(token.slice(end), 'base64url')
    const lengths = [
      Buffer.concat([Buffer.alloc(1), signature]),
      signature.subarray(1),
      signature.subarray(0, 255),
      Buffer.alloc(0),
    ]
    for (const wrong of lengths)
      expect(isRsaSigned(token.slice(0, end) + wrong.toString('base64url'), 'RS256', publicKey)).toBe(false)
  })

  it.each(['PS256', 'ES256', 'EdDSA', 'HS256', 'none', 'rs256', '__proto__', ''])('with %j is left to jose', (alg) => {
    expect(isRsaSigned(mint('RS256', 'sha256'), alg, publicKey)).toBeUndefined()
  })
})

describe('a key', () => {
  it('of RSA with 2048 to 4096 bits is checked with at once', () => {
    expect(isUsualRsaKey(publicKey)).toBe(true)
    expect(isUsualRsaKey(createRsaKey(4096))).toBe(true)
  })

  it.each<[string, () => KeyObject]>([
    ['of RSA with fewer bits', () => createRsaKey(2040)],
    ['of RSA with more bits', () => createRsaKey(4104)],
    ['that is private', () => privateKey],
    ['of RSA for PSS alone', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey],
    ['on a curve', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['of Ed25519', () => generateKeyPairSync('ed25519').publicKey],
  ])('%s is left to jose', (_name, create) => {
    expect(isUsualRsaKey(create())).toBe(false)
  })
})
