import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findAccessToken, findQueryToken, parseAuthorizationHeader, stripQueryToken } from './bearer.ts'

const malformed = expect.objectContaining({ name: 'ProxyError', code: 'token_request_malformed' })
const longest = 'x'.repeat(16 * 1024 - 1)

const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'
const tokens = fc.tuple(
  fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 80 }),
  fc.constantFrom('', '=', '=='),
)
const token = tokens.map(([body, padding]) => body + padding)

function refusal(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

describe('the Authorization header', () => {
  it.each([
    ['none', []],
    ['an empty one', ['']],
    ['white space alone', [' \t']],
    ['Basic', ['Basic dXNlcjpwYXNz']],
    ['Digest', ['Digest username="a", realm="b"']],
    ['Negotiate', ['Negotiate YII=']],
    ['DPoP, whose proof nobody checks', ['DPoP abc']],
    ['a scheme that only begins like Bearer', ['Bearertoken abc']],
  ])('has no token: %s', (_, values) => {
    expect(parseAuthorizationHeader(values)).toBeUndefined()
  })

  it.each([['Bearer abc'], ['bearer abc'], ['BEARER abc'], ['Bearer  abc'], ['Bearer abc \t '], [' Bearer abc']])(
    'holds the token: %j',
    (value) => {
      expect(parseAuthorizationHeader([value])).toBe('abc')
    },
  )

  it.each([
    ['two headers, the good one first', ['Bearer abc', 'Bearer evil']],
    ['two headers, the good one last', ['Bearer evil', 'Bearer abc']],
    ['two headers with the same token', ['Bearer abc', 'Bearer abc']],
    ['a second header of another scheme', ['Bearer abc', 'Basic eA==']],
    ['a tab as separator', ['Bearer\tabc']],
    ['a tab behind the space', ['Bearer \tabc']],
    ['a no-break space as separator', ['Bearer\u00a0abc']],
    ['two tokens', ['Bearer a b']],
    ['a list', ['Bearer a, Bearer b']],
    ['a list without spaces', ['Bearer a,Bearer b']],
    ['quotes', ['Bearer "abc"']],
    ['a semicolon', ['Bearer abc;']],
    ['an escape', ['Bearer abc%20']],
    ['a NUL', ['Bearer abc\0']],
    ['a line break', ['Bearer abc\r\nX: y']],
    ['bytes over 0x7f', ['Bearer abc\u00e9']],
    ['a zero-width space', ['Bearer abc\u200b']],
    ['padding in the middle', ['Bearer ab=c']],
    ['16 KiB', [`Bearer ${longest}x`]],
    ['no scheme', ['"abc"']],
  ])('is refused: %s', (_, values) => {
    expect(refusal(() => parseAuthorizationHeader(values))).toEqual(malformed)
  })

  it('takes tokens of a little under 16 KiB', () => {
    expect(parseAuthorizationHeader([`Bearer ${longest}`])).toBe(longest)
  })

  it('gives back every well-formed token unchanged', () => {
    fc.assert(
      fc.property(token, (text) => {
        expect(parseAuthorizationHeader([`Bearer ${text}`])).toBe(text)
      }),
    )
  })

  it('gives a well-formed token, nothing, or a refusal, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `Bearer ${text}`),
        ),
        (value) => {
          const error = refusal(() => {
            const found = parseAuthorizationHeader([value])
            if (found !== undefined) expect(found).toMatch(/^[A-Za-z0-9\-._~+/]+=*$/)
          })
          if (error !== undefined) expect(error).toEqual(malformed)
        },
      ),
    )
  })

  it('is refused however long it is', () => {
    expect(parseAuthorizationHeader([`Bearer ${' '.repeat(1_000_000)}`])).toBeUndefined()
    expect(refusal(() => parseAuthorizationHeader([`Bearer ${'='.repeat(1_000_000)}`]))).toEqual(malformed)
    expect(refusal(() => parseAuthorizationHeader([`Bearer ${'a'.repeat(1_000_000)}!`]))).toEqual(malformed)
  })
})

describe('the query', () => {
  it('holds the token', () => {
    expect(findQueryToken('a=1&access_token=abc%2Bd&b=2')).toBe('abc+d')
  })

  it.each([[undefined], [''], ['a=1'], ['a=access_token'], ['tokens=1'], ['access_tokens=1']])('holds none: %j', (query) => {
    expect(findQueryToken(query)).toBeUndefined()
  })

  it.each([
    ['access_token=a&access_token=b'],
    ['access_token=a&access%5Ftoken=b'],
    ['access_token='],
    ['access_token'],
    ['access_token=a%20b'],
    ['access_token=a+b'],
    ['access_token=%zz'],
    ['ACCESS_TOKEN=abc'],
    ['token=abc'],
  ])('is refused: %s', (query) => {
    expect(refusal(() => findQueryToken(query))).toEqual(malformed)
  })

  it('is refused when its token has 16 KiB', () => {
    expect(refusal(() => findQueryToken(`access_token=${longest}x`))).toEqual(malformed)
  })

  it.each([
    ['access_token=a', undefined],
    ['a=1&access_token=a', 'a=1'],
    ['access_token=a&a=%41&&b', 'a=%41&&b'],
    ['access%5Ftoken=a&a=1', 'a=1'],
    ['%zz=1&access_token=a', '%zz=1'],
    ['a=1', 'a=1'],
    [undefined, undefined],
  ])('goes on without the token: %j', (query, rest) => {
    expect(stripQueryToken(query)).toBe(rest)
  })

  it('keeps every other parameter byte for byte', () => {
    const parameter = fc
      .string({ unit: fc.constantFrom('a', 'B', '%', '4', '1', '+', '=', '_', 't') })
      .filter((text) => text !== '')
    fc.assert(
      fc.property(fc.array(parameter), fc.array(parameter), token, (before, after, text) => {
        const query = [...before, `access_token=${encodeURIComponent(text)}`, ...after].join('&')
        expect(stripQueryToken(query)).toBe([...before, ...after].join('&') || undefined)
      }),
    )
  })
})

describe('an access token', () => {
  const everything = ['header', 'body', 'query'] as const

  it('is found wherever the configuration permits it', () => {
    expect(findAccessToken({ authorization: ['Bearer a'], query: undefined }, ['header'])).toBe('a')
    expect(findAccessToken({ authorization: [], query: 'access_token=a' }, everything)).toBe('a')
    expect(findAccessToken({ authorization: [], query: undefined, form: 'access_token=a&x=1' }, everything)).toBe('a')
    expect(findAccessToken({ authorization: [], query: 'x=1', form: 'y=1' }, everything)).toBeUndefined()
  })

  it.each([
    ['in the query, where only the header is read', { authorization: [], query: 'access_token=a' }, ['header'] as const],
    [
      'in the body, where only the header is read',
      { authorization: [], query: undefined, form: 'access_token=a' },
      ['header'] as const,
    ],
    ['in header and query', { authorization: ['Bearer a'], query: 'access_token=a' }, everything],
    ['in header and body', { authorization: ['Bearer a'], query: undefined, form: 'access_token=a' }, everything],
    ['in query and body', { authorization: [], query: 'access_token=a', form: 'access_token=a' }, everything],
    [
      'in the header, and in a query that must not have one',
      { authorization: ['Bearer a'], query: 'access_token=a' },
      ['header'] as const,
    ],
  ])('is refused %s', (_, sources, permitted) => {
    expect(refusal(() => findAccessToken(sources, permitted))).toEqual(malformed)
  })

  it('never shows up in the reason', () => {
    const error = refusal(() => findAccessToken({ authorization: ['Bearer s3cr3t;'], query: 'access_token=s3cr3t' }, everything))
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause])).not.toContain('s3cr3t')
  })
})
