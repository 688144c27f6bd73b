import { describe, expect, it } from 'vitest'
import { parseSignedJwt } from './jws.ts'

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

const createJwt = (header: unknown, claims: unknown = { sub: 'alice' }): string => `${encode(header)}.${encode(claims)}.AAAA`

describe('the header of a JWT that came before', () => {
  it('says the same again, with other claims', () => {
    const header = { alg: 'RS256', kid: 'one', typ: 'application/AT+JWT' }
    for (const sub of ['alice', 'bob', 'alice']) {
      const { algorithm, keyId, type, claims } = parseSignedJwt(createJwt(header, { sub }))
      expect({ algorithm, keyId, type, claims }).toEqual({ algorithm: 'RS256', keyId: 'one', type: 'at+jwt', claims: { sub } })
    }
  })

  it('is not taken for one that differs in a character', () => {
    expect(parseSignedJwt(createJwt({ alg: 'RS256', kid: 'a' })).keyId).toBe('a')
    expect(parseSignedJwt(createJwt({ alg: 'RS256', kid: 'b' })).keyId).toBe('b')
    expect(parseSignedJwt(createJwt('{"alg":"RS256","kid":"a" }')).keyId).toBe('a')
    expect(() => parseSignedJwt(`${encode({ alg: 'RS256', kid: 'a' })}=.${encode({})}.AAAA`)).toThrow()
  })

  it.each([{ alg: 'RS256', crit: ['exp'] }, { alg: 'RS256', cty: 'JWT' }, { alg: 1 }, '{"alg":"RS256","alg":"none"}', 'null'])(
    'is refused again where it was refused: %j',
    (header) => {
      for (const sub of ['alice', 'bob']) expect(() => parseSignedJwt(createJwt(header, { sub }))).toThrow()
    },
  )

  it('makes no claims of another token pass', () => {
    const header = { alg: 'RS256', kid: 'one' }
    parseSignedJwt(createJwt(header))
    expect(() => parseSignedJwt(createJwt(header, '{"sub":"alice","sub":"bob"}'))).toThrow()
    expect(() => parseSignedJwt(`${createJwt(header)}=`)).toThrow()
  })

  it('is read whatever its length, and after any number of others', () => {
    for (let i = 0; i < 200; i++) parseSignedJwt(createJwt({ alg: 'RS256', kid: `key ${i}` }))
    expect(parseSignedJwt(createJwt({ alg: 'RS256', kid: 'key 0' })).keyId).toBe('key 0')
    const long = { alg: 'RS256', kid: 'k'.repeat(1000) }
    for (let i = 0; i < 2; i++) expect(parseSignedJwt(createJwt(long)).keyId).toBe(long.kid)
  })
})
