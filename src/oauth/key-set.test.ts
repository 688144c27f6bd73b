import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { UnknownJwk } from './jwk.ts'
import { parseKeySet } from './key-set.ts'
import { isRocaModulus } from './roca.ts'

function createJwk(kind: 'RSA' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519', more: UnknownJwk = {}): UnknownJwk {
  return { ...createPair(kind).publicKey.export({ format: 'jwk' }), ...more }
}

function createPair(kind: string) {
  if (kind === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return kind === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: kind })
}

const rsa = createJwk('RSA')
const p256 = createJwk('P-256')
const p384 = createJwk('P-384')
const ed25519 = createJwk('Ed25519')

/** The algorithms that a lone key may be used with. */
function algorithmsOf(jwk: UnknownJwk): string[] {
  const set = parseKeySet({ keys: [{ kid: 'a', ...jwk }] })
  const all = [
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
    'ES256K',
    'HS256',
    'RS1',
    'none',
  ]
  return all.filter((algorithm) => set.find('a', algorithm) !== undefined)
}

const toNumber = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')

describe('a key', () => {
  it.each<[string, UnknownJwk, string[]]>([
    ['RSA', rsa, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['RSA for one algorithm', { ...rsa, alg: 'PS256' }, ['PS256']],
    ['P-256', p256, ['ES256']],
    ['P-384', p384, ['ES384']],
    ['P-521', createJwk('P-521'), ['ES512']],
    ['Ed25519', ed25519, ['EdDSA', 'Ed25519']],
    ['Ed25519 by its old name', { ...ed25519, alg: 'EdDSA' }, ['EdDSA', 'Ed25519']],
    ['Ed25519 by its new name', { ...ed25519, alg: 'Ed25519' }, ['EdDSA', 'Ed25519']],
    ['for signatures', { ...p256, use: 'sig', key_ops: ['verify'] }, ['ES256']],
  ])('of kind %s verifies just its algorithms', (_, jwk, algorithms) => {
    expect(algorithmsOf(jwk)).toEqual(algorithms)
  })

  it.each<[string, UnknownJwk]>([
    ['for encryption', { ...rsa, use: 'enc' }],
    ['for operations without verify', { ...rsa, key_ops: ['encrypt'] }],
    ['whose operations are no list', { ...rsa, key_ops: 'verify' }],
    ['for an algorithm of another kind', { ...rsa, alg: 'ES256' }],
    ['for key encryption', { ...rsa, alg: 'RSA-OAEP' }],
    ['for an algorithm of another curve', { ...p384, alg: 'ES256' }],
    ['whose alg is no text', { ...rsa, alg: ['RS256'] }],
    ['on X25519', { kty: 'OKP', crv: 'X25519', x: ed25519.x }],
    ['on Ed448', { kty: 'OKP', crv: 'Ed448', x: randomBytes(57).toString('base64url') }],
    ['on secp256k1', { ...p256, crv: 'secp256k1' }],
    ['of a kind that nobody knows', { kty: 'XYZ' }],
    ['without a kind', { n: rsa.n, e: rsa.e }],
  ])('%s is meant for something else: it verifies nothing, and is not reported', (_, jwk) => {
    expect(algorithmsOf(jwk)).toEqual([])
    expect(parseKeySet({ keys: [jwk] }).problems).toEqual([])
  })

  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  it.each<[string, UnknownJwk, string]>([
    ['that is symmetric', { kty: 'oct', k: 'c2VjcmV0' }, 'symmetric'],
    ['with its private part', createPair('P-256').privateKey.export({ format: 'jwk' }) as UnknownJwk, 'private'],
    ['with a private part of RSA', createPair('RSA').privateKey.export({ format: 'jwk' }) as UnknownJwk, 'private'],
    ['of 1024 bits', short as UnknownJwk, '1024 bits'],
    ['of far too many bits', { ...rsa, n: toNumber('f'.repeat(5000)) }, 'bits'],
    ['of more bits than verification can afford', { ...rsa, n: toNumber(`c${'5'.repeat(2047)}`.repeat(2)) }, '16384 bits'],
    ['with an exponent of 33 bits', { ...rsa, e: toNumber('0100000001') }, 'exponent'],
    ['with an exponent as long as its modulus', { ...rsa, e: toNumber(`7${'f'.repeat(511)}`) }, 'exponent'],
    ['with exponent 1', { ...rsa, e: 'AQ' }, 'exponent'],
    ['with an even exponent', { ...rsa, e: 'AQAA' }, 'exponent'],
    ['with exponent 0', { ...rsa, e: 'AA' }, 'exponent'],
    ['with an endless exponent', { ...rsa, e: toNumber(`01${'0'.repeat(30)}01`) }, 'exponent'],
    ['with padding', { ...rsa, e: 'AQAB==' }, 'base64url'],
    ['without a modulus', { kty: 'RSA', e: 'AQAB' }, 'base64url'],
    ['with a number for a text', { ...rsa, e: 65537 }, 'base64url'],
    ['whose point is off the curve', { ...p256, y: p256.x }, 'invalid'],
    ['whose coordinates belong to another curve', { ...p256, crv: 'P-384' }, 'length'],
    ['with one coordinate only', { kty: 'EC', crv: 'P-256', x: p256.x }, 'length'],
    ['with a coordinate cut short', { ...p256, x: (p256.x as string).slice(0, 40) }, 'length'],
    ['of Ed25519 with too short a point', { ...ed25519, x: 'AAAA' }, 'length'],
    ['with a kid that is no text', { ...rsa, kid: 7 }, 'kid'],
    ['with a kid that is a list', { ...rsa, kid: [null] }, 'kid'],
  ])('%s is left out, and the operator is told', (_, jwk, reason) => {
    const set = parseKeySet({ keys: [jwk] })
    expect(set.size).toBe(0)
    expect(set.problems.join()).toContain(reason)
  })

  it('never has its secrets in what the operator is told', () => {
    const jwk = createPair('P-256').privateKey.export({ format: 'jwk' })
    expect(parseKeySet({ keys: [jwk] }).problems.join()).not.toContain(jwk.d)
  })

  it('of a faulty generator is recognised, others are not', () => {
    const primes = [11n, 13n, 17n, 19n, 37n, 53n, 61n, 71n, 73n, 79n, 97n, 103n, 107n, 109n, 127n, 151n, 157n]
    const product = primes.reduce((one, other) => one * other)
    const power = Array.from({ length: 1234 }).reduce<bigint>((value) => (value * 65537n) % product, 1n)
    expect(isRocaModulus(power + product * BigInt(`0x${randomBytes(200).toString('hex')}`))).toBe(true)
    for (let round = 0; round < 20; round++) {
      expect(isRocaModulus(BigInt(`0x${randomBytes(255).toString('hex')}01`))).toBe(false)
    }
  })
})

describe('a key set', () => {
  it.each([[{}], [{ keys: null }], [{ keys: {} }], [{ keys: 'x' }]])('is refused whole: %j', (document) => {
    expect(() => parseKeySet(document)).toThrow('no JWK Set')
  })

  it('is refused whole when it has more than 100 keys', () => {
    expect(parseKeySet({ keys: Array(100).fill({ kty: 'XYZ' }) }).size).toBe(0)
    expect(() => parseKeySet({ keys: Array(101).fill({ kty: 'XYZ' }) })).toThrow('more than 100')
  })

  it('has keys without the members that are null, as some servers write what a key lacks', () => {
    const set = parseKeySet({ keys: [{ ...p256, kid: null, use: null, key_ops: null, alg: null, d: null, x5c: null }] })
    expect(set.problems).toEqual([])
    expect(set.find(undefined, 'ES256')).toBeDefined()
  })

  it('gives each key to those who name it', () => {
    const set = parseKeySet({ keys: [{ ...rsa, kid: 'a' }, null, 7, { ...p256, kid: 'b' }] })
    expect(set.size).toBe(2)
    expect(set.find('a', 'RS256')?.keyId).toBe('a')
    expect(set.find('b', 'ES256')?.keyId).toBe('b')
    expect(set.find('b', 'RS256')).toBeUndefined()
    expect(set.find('c', 'RS256')).toBeUndefined()
    for (const name of ['__proto__', 'constructor', 'toString', '']) expect(set.find(name, 'RS256')).toBeUndefined()
  })

  it('gives no key to those who name none, unless exactly one fits', () => {
    const two = parseKeySet({
      keys: [
        { ...rsa, kid: 'a' },
        { ...p256, kid: 'b' },
        { ...createJwk('P-256'), kid: 'c' },
      ],
    })
    expect(two.find(undefined, 'RS256')?.keyId).toBe('a')
    expect(two.find(undefined, 'ES256')).toBeUndefined()
    expect(two.find(undefined, 'ES384')).toBeUndefined()
  })

  it('leaves out keys that share a kid, since it is not known which one is meant', () => {
    const set = parseKeySet({
      keys: [
        { ...rsa, kid: 'a' },
        { ...p256, kid: 'a' },
        { ...p384, kid: 'b' },
      ],
    })
    expect(set.find('a', 'RS256')).toBeUndefined()
    expect(set.find('a', 'ES256')).toBeUndefined()
    expect(set.find('b', 'ES384')).toBeDefined()
    expect(set.problems.join()).toContain('several keys')
  })

  it('keeps a signing key whose kid an encryption key has as well', () => {
    const set = parseKeySet({
      keys: [
        { ...rsa, kid: 'a' },
        { ...createJwk('RSA'), kid: 'a', use: 'enc' },
      ],
    })
    expect(set.find('a', 'RS256')).toBeDefined()
  })

  it('knows its keys by material and name, not by name alone', () => {
    const before = parseKeySet({ keys: [{ ...p256, kid: 'a' }] })
    const fingerprint = before.find('a', 'ES256')?.fingerprint ?? ''
    expect(before.holds(fingerprint)).toBe(true)
    expect(parseKeySet({ keys: [{ use: 'sig', kid: 'a', ...p256, x5t: 'new' }] }).holds(fingerprint)).toBe(true)
    expect(parseKeySet({ keys: [{ ...createJwk('P-256'), kid: 'a' }] }).holds(fingerprint)).toBe(false)
    expect(parseKeySet({ keys: [{ ...p256, kid: 'b' }] }).holds(fingerprint)).toBe(false)
  })
})
