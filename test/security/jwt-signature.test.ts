import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { createServer } from 'node:http'
import { exportJWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { forge } from '../support/forge.ts'
import { createIssuerPlan } from '../support/issuer-plan.ts'
import { expectRefused, verifyToken } from '../support/refusal.ts'
import { startIssuer } from '../support/tokens.ts'
import { audience, createClaims, startVerifier, type VerifierSetup } from '../support/verifier.ts'

let setup: VerifierSetup
let good: string

beforeAll(async () => {
  setup = await startVerifier()
  good = await setup.issuer.mint()
})
afterAll(() => setup.close())

// Whatever came before: a good token passes, nothing was asked for but metadata and keys.
afterEach(async () => {
  const { subject } = await verifyToken(setup.verifier, good)
  expect(subject).toBe('alice')
  const paths = new Set(setup.issuer.requests)
  expect([...paths].sort()).toEqual(['/.well-known/oauth-authorization-server', '/jwks'])
})

const refused = (token: string) => expectRefused(setup.verifier, token, 'token_invalid')
const claims = (differences?: Record<string, unknown>) => createClaims(setup.issuer.issuer, differences)
const header = (differences?: Record<string, unknown>) => ({
  alg: 'RS256',
  typ: 'at+jwt',
  kid: setup.issuer.signingKey.kid,
  ...differences,
})
/** Signed by the issuer's own key, over a header or payload that no issuer would make. */
const signed = (differences: Record<string, unknown>, payload: Record<string, unknown> | string | Buffer = claims()) =>
  forge({ header: header(differences), payload }, setup.issuer.signingKey.privateKey)
const signedText = (headerText: string | Buffer, payload: string | Buffer | Record<string, unknown> = claims()) =>
  forge({ header: headerText, payload }, setup.issuer.signingKey.privateKey)

describe('a token without a real signature is refused', () => {
  it.each([['none'], ['None'], ['NONE'], ['nOnE'], [''], ['RS256'], ['HS256']])(
    'with alg %j and nothing behind the last dot',
    async (alg) => {
      await refused(forge({ header: header({ alg }), payload: claims() }, undefined))
    },
  )

  it.each([['none'], ['NONE'], ['']])('with alg %j and some signature', async (alg) => {
    await refused(signed({ alg }))
  })

  it.each<[unknown]>([[undefined], [['RS256']], [256], [null], [{}], [true]])('with alg %j', async (alg) => {
    await refused(signed({ alg }))
  })

  it('cut short, with zero bytes, with another one, with one bit changed', async () => {
    const [head, body, signature = ''] = good.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const other = (await setup.issuer.mint({ claims: { sub: 'bob' } })).split('.')[2]
    const flipped = Buffer.from(bytes)
    flipped[100] = (flipped[100] ?? 0) ^ 1
    const forgeries = [
      bytes.subarray(0, -1),
      Buffer.alloc(bytes.length),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.of(0),
      flipped,
    ]
    for (const forgery of forgeries) await refused(`${head}.${body}.${forgery.toString('base64url')}`)
    await refused(`${head}.${body}.${other}`)
  })

  it('with the payload of another', async () => {
    const [head, , signature] = good.split('.')
    const payload = Buffer.from(JSON.stringify(claims({ sub: 'admin' }))).toString('base64url')
    await refused(`${head}.${payload}.${signature}`)
  })

  it('signed with another key under the same kid', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await refused(forge({ header: header(), payload: claims() }, stranger.privateKey))
  })
})

describe('a public key is never taken for a secret', () => {
  it('in any form in which it may lie around', async () => {
    const { publicJwk } = setup.issuer.signingKey
    const key = createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })
    const pem = key.export({ type: 'spki', format: 'pem' }).toString()
    const der = key.export({ type: 'spki', format: 'der' })
    const secrets = [pem, pem.trim(), `\n${pem}`, `${pem}\n`, der, JSON.stringify(publicJwk), publicJwk.n ?? '']
    for (const secret of secrets) {
      for (const alg of ['HS256', 'HS384', 'HS512'])
        await refused(forge({ header: header({ alg }), payload: claims() }, secret, alg))
    }
  })

  it('not even where the issuer publishes a secret as a key', async () => {
    const own = await startVerifier({ algorithms: ['RS256', 'HS256'] })
    own.issuer.publish([
      { kty: 'oct', kid: 'secret', alg: 'HS256', use: 'sig', k: Buffer.from('very secret').toString('base64url') },
    ])
    const forged = forge(
      { header: { alg: 'HS256', kid: 'secret' }, payload: createClaims(own.issuer.issuer) },
      'very secret',
      'HS256',
    )
    await expectRefused(own.verifier, forged, 'token_invalid')
    await verifyToken(own.verifier, await own.issuer.mint())
    expect(own.issues.join()).toMatch(/symmetric key has been published/)
    expect(own.issues.join()).not.toContain('very secret')
    await own.close()
  })
})

describe('an algorithm', () => {
  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    '%s verifies',
    async (algorithm) => {
      const own = await startVerifier({}, {}, { algorithm })
      const token = await own.issuer.mint()
      expect((await verifyToken(own.verifier, token)).subject).toBe('alice')
      await own.close()
    },
  )

  it('of Ed25519 verifies under both of its names', async () => {
    const own = await startVerifier({ algorithms: ['EdDSA'] }, {}, { algorithm: 'EdDSA' })
    const { privateKey, kid } = own.issuer.signingKey
    const named = (alg: string) => forge({ header: { alg, kid }, payload: createClaims(own.issuer.issuer) }, privateKey, 'EdDSA')
    for (const alg of ['EdDSA', 'Ed25519']) expect((await verifyToken(own.verifier, named(alg))).subject).toBe('alice')
    await expectRefused(own.verifier, named('Ed448'), 'token_invalid')
    await own.close()
  })

  it('must be one that the configuration accepts, though a key would fit', async () => {
    const own = await startVerifier({ algorithms: ['PS256', 'ES256'] }, {}, { algorithm: 'RS256' })
    expect(await expectRefused(own.verifier, await own.issuer.mint(), 'token_invalid')).toContain('RS256')
    for (const alg of ['RS1', 'ES256K', 'HS256', 'RS256 ', 'rs256', 'PS256\u0000']) {
      const token = forge(
        { header: { alg, kid: own.issuer.signingKey.kid }, payload: createClaims(own.issuer.issuer) },
        'x',
        'HS256',
      )
      await expectRefused(own.verifier, token, 'token_invalid')
    }
    await own.close()
  })

  it('must be the one of the key where that names one', async () => {
    const own = await startVerifier({}, {}, { algorithm: 'PS256' })
    const { kid, privateKey } = own.issuer.signingKey
    const key = createPrivateKey({ key: (await exportJWK(privateKey)) as JsonWebKey, format: 'jwk' })
    const payload = createClaims(own.issuer.issuer)
    await expectRefused(own.verifier, forge({ header: { alg: 'RS256', kid }, payload }, key, 'RS256'), 'token_invalid')
    expect((await verifyToken(own.verifier, forge({ header: { alg: 'PS256', kid }, payload }, key, 'PS256'))).subject).toBe(
      'alice',
    )
    await own.close()
  })

  it('must fit the key by its kind and curve where that names none', async () => {
    const own = await startVerifier()
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    own.issuer.publish([
      { ...publicKey.export({ format: 'jwk' }), kid: 'p384' },
      { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa' },
    ])
    const pick = (alg: string, kid: string, key: KeyObject, signAs: string) =>
      forge({ header: { alg, kid }, payload: createClaims(own.issuer.issuer) }, key, signAs)
    await expectRefused(own.verifier, pick('ES256', 'p384', privateKey, 'ES384'), 'token_invalid')
    await expectRefused(own.verifier, pick('RS256', 'p384', privateKey, 'ES384'), 'token_invalid')
    await expectRefused(own.verifier, pick('ES384', 'rsa', privateKey, 'ES384'), 'token_invalid')
    await expectRefused(own.verifier, pick('HS256', 'rsa', rsa.privateKey, 'RS256'), 'token_invalid')
    await expectRefused(own.verifier, pick('PS256', 'rsa', rsa.privateKey, 'RS256'), 'token_invalid')
    expect((await verifyToken(own.verifier, pick('ES384', 'p384', privateKey, 'ES384'))).subject).toBe('alice')
    expect((await verifyToken(own.verifier, pick('PS384', 'rsa', rsa.privateKey, 'PS384'))).subject).toBe('alice')
    await own.close()
  })

  it('of ECDSA takes the raw form alone, not DER', async () => {
    const own = await startVerifier({}, {}, { algorithm: 'ES256' })
    const { privateKey, kid } = own.issuer.signingKey
    const token = forge({ header: { alg: 'ES256', kid }, payload: createClaims(own.issuer.issuer) }, privateKey, 'ES256')
    expect((await verifyToken(own.verifier, token)).subject).toBe('alice')
    const input = token.slice(0, token.lastIndexOf('.'))
    const der = signBytes('sha256', Buffer.from(input), KeyObject.from(privateKey)).toString('base64url')
    await expectRefused(own.verifier, `${input}.${der}`, 'token_invalid')
    await own.close()
  })

  it('of ECDSA takes both values of s, which nothing depends on', async () => {
    const own = await startVerifier({}, {}, { algorithm: 'ES256' })
    const token = await own.issuer.mint()
    const input = token.slice(0, token.lastIndexOf('.'))
    const signature = Buffer.from(token.slice(input.length + 1), 'base64url')
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const s = BigInt(`0x${signature.toString('hex', 32)}`)
    const mirrored = Buffer.concat([signature.subarray(0, 32), Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex')])
    expect((await verifyToken(own.verifier, token)).subject).toBe('alice')
    expect((await verifyToken(own.verifier, `${input}.${mirrored.toString('base64url')}`)).subject).toBe('alice')
    await own.close()
  })
})

describe('what the header says about keys', () => {
  it('is never believed nor fetched', async () => {
    const asked: (string | undefined)[] = []
    const listener = createServer((request, response) => {
      asked.push(request.url)
      response.end()
    })
    const url = `http://127.0.0.1:${await listenOnLoopback(listener, 0)}/keys`
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = stranger.publicKey.export({ format: 'jwk' })
    const key = stranger.privateKey
    const tricks = [
      { jwk },
      { jwk: { ...jwk, kid: setup.issuer.signingKey.kid } },
      { jku: url },
      { x5u: url },
      { x5c: [stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
      { x5t: 'abc' },
      { 'x5t#S256': 'abc' },
    ]
    for (const trick of tricks) {
      await refused(forge({ header: header(trick), payload: claims() }, key))
      await refused(forge({ header: header({ ...trick, kid: undefined }), payload: claims() }, key))
      // The same with the right key: it counts for nothing, so it does no harm either (Entra ID sends x5t).
      expect((await verifyToken(setup.verifier, signed(trick))).subject).toBe('alice')
    }
    expect(asked).toEqual([])
    await closeServer(listener)
  })

  it.each<[unknown]>([
    ['../../../../dev/null'],
    ['/proc/self/environ'],
    ["' OR 1=1--"],
    ['__proto__'],
    ['constructor'],
    ['toString'],
    ['hasOwnProperty'],
    [''],
    ['\u0000'],
    ['\r\nX-Evil: 1'],
    ['x'.repeat(2000)],
    [7],
    [null],
    [['a']],
    [{ a: 1 }],
    [true],
  ])('kid %j finds no key', async (kid) => {
    await refused(signed({ kid }))
  })

  it('kid of another issuer finds no key', async () => {
    const two = await startIssuer()
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan(setup.issuer.issuer), createIssuerPlan(two.issuer)],
      audiences: [audience],
    })
    const { kid, privateKey } = two.signingKey
    const payload = createClaims(setup.issuer.issuer)
    // The issuer of the claim isn't the one of the key: neither under its own name nor under the other's.
    await expectRefused(verifier, forge({ header: { alg: 'RS256', kid }, payload }, privateKey), 'token_invalid')
    await expectRefused(verifier, forge({ header: header(), payload }, privateKey), 'token_invalid')
    expect((await verifyToken(verifier, await two.mint())).issuer).toBe(two.issuer)
    expect((await verifyToken(verifier, good)).issuer).toBe(setup.issuer.issuer)
    await verifier.close()
    await two.close()
  })
})

describe('extensions of the header are refused', () => {
  it.each<[string, Record<string, unknown>]>([
    ['crit of something known', { crit: ['exp'] }],
    ['crit of something that is there', { crit: ['foo'], foo: 1 }],
    ['an empty crit', { crit: [] }],
    ['crit as text', { crit: 'b64' }],
    ['crit null', { crit: null }],
    ['b64 with crit', { crit: ['b64'], b64: false }],
    ['b64 alone', { b64: false }],
    ['b64 true', { crit: ['b64'], b64: true }],
    ['zip', { zip: 'DEF' }],
    ['cty JWT', { cty: 'JWT' }],
    ['cty jwt', { cty: 'jwt' }],
    ['cty as a media type', { cty: 'application/jwt' }],
    ['cty that is no text', { cty: ['JWT'] }],
    ['enc', { enc: 'A256GCM' }],
  ])('%s', async (_, differences) => {
    await refused(signed(differences))
  })

  it('an unencoded payload, detached or not (RFC 7797)', async () => {
    const fields = header({ b64: false, crit: ['b64'] })
    const head = Buffer.from(JSON.stringify(fields)).toString('base64url')
    const payload = JSON.stringify(claims()).replaceAll('.', '')
    const signature = signBytes('sha256', Buffer.from(`${head}.${payload}`), KeyObject.from(setup.issuer.signingKey.privateKey))
    await refused(`${head}.${payload}.${signature.toString('base64url')}`)
    await refused(`${head}..${signature.toString('base64url')}`)
  })

  it('an encrypted token, without trying to decrypt it', async () => {
    const part = Buffer.from('x').toString('base64url')
    for (const fields of [
      { alg: 'dir', enc: 'A256GCM' },
      { alg: 'RSA-OAEP', enc: 'A256GCM', kid: setup.issuer.signingKey.kid },
      { alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 2 ** 31, p2s: part },
    ]) {
      const head = Buffer.from(JSON.stringify(fields)).toString('base64url')
      await refused(`${head}.${part}.${part}.${part}.${part}`)
      await refused(`${head}..${part}.${part}.${part}`)
    }
  })

  it('the JSON serialization', async () => {
    const [head, body, signature] = good.split('.')
    await refused(JSON.stringify({ protected: head, payload: body, signature }))
    await refused(JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] }))
  })
})

describe('a token has one spelling only', () => {
  const parts = () => good.split('.') as [string, string, string]
  const withPart = (index: number, change: (part: string) => string) =>
    parts()
      .map((part, position) => (position === index ? change(part) : part))
      .join('.')

  describe.each([
    ['header', 0],
    ['payload', 1],
    ['signature', 2],
  ])('its %s', (_, index) => {
    it.each<[string, (part: string) => string]>([
      ['a space within', (part) => `${part.slice(0, 8)} ${part.slice(8)}`],
      ['a space behind', (part) => `${part} `],
      ['a line break within', (part) => `${part.slice(0, 8)}\n${part.slice(8)}`],
      ['a line break behind', (part) => `${part}\n`],
      ['a tab within', (part) => `${part.slice(0, 8)}\t${part.slice(8)}`],
      ['a NUL behind', (part) => `${part}\u0000`],
      ['padding', (part) => `${part}=`],
      ['more padding', (part) => `${part}==`],
      ['letters outside ASCII', (part) => `${part.slice(0, 8)}é${part.slice(8)}`],
      ['a full-width letter', (part) => `${part.slice(0, 8)}\uff21${part.slice(9)}`],
      ['a character more', (part) => `${part}A`],
      ['nothing', () => ''],
    ])('is refused with %s', async (_name, change) => {
      await refused(withPart(index, change))
    })
  })

  it('is refused with the alphabet of plain base64', async () => {
    const token = await mintUntil((text) => /[-_]/.test(text.split('.')[2] ?? ''))
    const cut = token.lastIndexOf('.')
    await refused(token.slice(0, cut) + token.slice(cut).replaceAll('-', '+').replaceAll('_', '/'))
  })

  it('is refused with other bits where base64url has some to spare', async () => {
    // 256 bytes leave four bits over, so the last of 342 characters has them: A, Q, g or w.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(good.at(-1) ?? '')
    const other = `${good.slice(0, -1)}${alphabet[last ^ 1]}`
    const bytes = (token: string) => Buffer.from(token.split('.')[2] ?? '', 'base64url')
    expect(bytes(other)).toEqual(bytes(good))
    await refused(other)
  })

  it.each([['..'], ['.'], [''], ['a'], ['a.b'], ['a..b'], ['.a.'], ['a.b.c.d'], ['a.b.c.d.e'], ['a.b.c']])(
    'is refused as %j',
    async (token) => {
      await refused(token)
    },
  )

  it('is refused with a fourth part', async () => {
    await refused(`${good}.`)
    await refused(`${good}.e30`)
    await refused(`.${good}`)
  })

  it('is refused at 16 KiB, unread', async () => {
    await refused(await setup.issuer.mint({ claims: { filler: 'x'.repeat(16 * 1024) } }))
    await refused('x'.repeat(1_000_000))
  })

  async function mintUntil(isWanted: (token: string) => boolean): Promise<string> {
    for (let tries = 0; tries < 100; tries++) {
      const token = await setup.issuer.mint()
      if (isWanted(token)) return token
    }
    throw new Error('no such token in 100')
  }
})

describe('header and payload have one reading only', () => {
  const text = () => JSON.stringify(claims())

  it.each<[string, (json: string) => string | Buffer]>([
    ['a repeated key', (json) => json.replace('{', '{"sub":"admin",')],
    ['two audiences', (json) => json.replace('}', ',"aud":"https://evil.example"}')],
    ['two ends', (json) => json.replace('}', ',"exp":99999999999}')],
    ['a repeated key that is escaped', (json) => json.replace('}', ',"\\u0065xp":99999999999}')],
    ['a repeated key deep inside', (json) => json.replace('}', ',"a":{"b":[{"c":1,"c":2}]}}')],
    ['a byte order mark', (json) => `\ufeff${json}`],
    ['something behind it', (json) => `${json}{}`],
    ['a letter behind it', (json) => `${json}x`],
    ['a NUL behind it', (json) => `${json}\u0000`],
    ['a comment', (json) => json.replace('{', '{/* */')],
    ['a trailing comma', (json) => json.replace('}', ',}')],
    ['NaN', (json) => json.replace(/"exp":\d+/, '"exp":NaN')],
    ['single quotes', (json) => json.replaceAll('"', "'")],
    ['a lone surrogate', (json) => json.replace('}', ',"a":"\\ud800"}')],
    [
      'invalid UTF-8',
      (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from(',"a":"'), Buffer.of(0xff), Buffer.from('"}')]),
    ],
    [
      'overlong UTF-8',
      (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from(',"a":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')]),
    ],
    ['UTF-16', (json) => Buffer.from(json, 'utf16le')],
    ['deep nesting', (json) => json.replace('}', `,"a":${'['.repeat(5000)}${']'.repeat(5000)}}`)],
    ['nothing but null', () => 'null'],
    ['nothing but a list', () => '[]'],
    ['nothing but text', () => '"{}"'],
    ['nothing but a number', () => '1'],
    ['nothing', () => ' '],
  ])('a payload with %s is refused', async (_, change) => {
    await refused(signedText(JSON.stringify(header()), change(text())))
  })

  it.each<[string, (json: string) => string | Buffer]>([
    ['two algorithms', (json) => json.replace('{', '{"alg":"none",')],
    ['two algorithms, the wrong one last', (json) => json.replace('}', ',"alg":"none"}')],
    ['two kids', (json) => json.replace('}', ',"kid":"x"}')],
    ['two crits', (json) => json.replace('{', '{"crit":["x"],').replace('}', ',"crit":null}')],
    ['a byte order mark', (json) => `\ufeff${json}`],
    ['something behind it', (json) => `${json} x`],
    [
      'invalid UTF-8',
      (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from(',"a":"'), Buffer.of(0xff), Buffer.from('"}')]),
    ],
    ['deep nesting', (json) => json.replace('}', `,"a":${'['.repeat(100)}${']'.repeat(100)}}`)],
    ['nothing but null', () => 'null'],
    ['nothing but a list', () => '["RS256"]'],
  ])('a header with %s is refused', async (_, change) => {
    await refused(signedText(change(JSON.stringify(header()))))
  })

  it('claims named after what every object has are claims like any other, and change no object', async () => {
    const extra = ',"__proto__":{"scope":"admin","polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
    const token = signedText(JSON.stringify(header()), text().replace('}', extra))
    const principal = await verifyToken(setup.verifier, token)
    expect([...principal.scopes]).toEqual(['read'])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(principal.claims)).toBe(Object.prototype)
  })
})
