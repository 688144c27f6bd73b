import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decodeSessionKey, listKeyAlgorithms, parsePrivateKey } from './key-material.ts'

describe('the session key', () => {
  it('is the bytes of Base64, of either alphabet, with or without padding', () => {
    const key = randomBytes(32)
    expect(decodeSessionKey(key.toString('base64'))).toEqual(key)
    expect(decodeSessionKey(key.toString('base64url'))).toEqual(key)
    expect(decodeSessionKey(`${key.toString('base64')}\n`)).toEqual(key)
  })

  it('is the text itself where Base64 would give too few bytes', () => {
    expect(decodeSessionKey('key of tests.'.repeat(3))).toEqual(Buffer.from('key of tests.'.repeat(3)))
    expect(decodeSessionKey('correct horse battery staple, twice over')?.toString()).toBe(
      'correct horse battery staple, twice over',
    )
  })

  it.each(['', 'short', 'ten digits'.repeat(3), 'äöüß'.repeat(3), Buffer.alloc(32).toString('base64')])(
    'is not %j, which is too short or zeros',
    (secret) => {
      expect(decodeSessionKey(secret)).toBeUndefined()
    },
  )
})

describe('a private key', () => {
  it.each([
    ['rsa', { modulusLength: 2048 }, 'RS256'],
    ['ec', { namedCurve: 'P-256' }, 'ES256'],
    ['ec', { namedCurve: 'P-384' }, 'ES384'],
    ['ec', { namedCurve: 'P-521' }, 'ES512'],
    ['ed25519', {}, 'EdDSA'],
  ] as const)('of kind %s %j signs with %s, from PEM as from JWK', (kind, options, algorithm) => {
    const { privateKey } = generateKeyPairSync(kind as 'rsa', options as { modulusLength: number })
    for (const text of [
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      JSON.stringify(privateKey.export({ format: 'jwk' })),
    ]) {
      const key = parsePrivateKey(text)
      expect(key && listKeyAlgorithms(key)[0]).toBe(algorithm)
    }
  })

  it('is refused when it is short, of another kind, public, encrypted or no key at all', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    expect(listKeyAlgorithms(short)).toEqual([])
    const other = generateKeyPairSync('x25519').privateKey
    expect(listKeyAlgorithms(other)).toEqual([])
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
    for (const text of [publicKey.export({ type: 'spki', format: 'pem' }).toString(), encrypted, '{}', '{', 'key', '']) {
      expect(parsePrivateKey(text)).toBeUndefined()
    }
  })
})
