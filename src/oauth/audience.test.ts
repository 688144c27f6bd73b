import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAudienceCheck, normalizeAudience } from './audience.ts'

const ours = 'https://mcp.example.com/mcp'
const check = createAudienceCheck([ours, 'api://mcp', '11111111-2222-3333-4444-555555555555'])
const mismatch = expect.objectContaining({ code: 'token_audience_mismatch' })

function outcome(aud: unknown): unknown {
  try {
    return check.check({ aud }, ['aud'])
  } catch (error) {
    return error
  }
}

describe('an audience', () => {
  it.each<[unknown]>([
    [ours],
    [[ours]],
    [['https://other.example', ours]],
    [`${ours}/`],
    ['HTTPS://MCP.Example.COM/mcp'],
    ['api://mcp'],
    ['api://mcp/'],
    ['11111111-2222-3333-4444-555555555555'],
  ])('is ours: %j', (aud) => {
    expect(outcome(aud)).toBe('audience')
  })

  it.each<[unknown]>([
    ['https://mcp.example.com/mcp2'],
    ['https://mcp.example.com/mcp/x'],
    ['https://mcp.example.com/mc'],
    ['https://mcp.example.com/'],
    ['https://mcp.example.com'],
    [`${ours}//`],
    ['https://mcp.example.com//mcp'],
    ['https://mcp.example.com/MCP'],
    ['https://mcp.example.com:443/mcp'],
    ['https://mcp.example.com/%6dcp'],
    ['https://mcp.example.com/mcp?'],
    ['https://mcp.example.com/mcp#'],
    ['https://mcp.example.com/mcp?x'],
    ['https://mcp.example.com@evil.example/mcp'],
    ['https://evil@mcp.example.com/mcp'],
    ['https://mcp.example.com.evil.example/mcp'],
    ['http://mcp.example.com/mcp'],
    ['https://mcp.example.com\\mcp'],
    [` ${ours}`],
    [`${ours} `],
    ['*'],
    [''],
    ['mcp.example.com/mcp'],
    ['https://mcp.example.com\u0000/mcp'],
    ['11111111-2222-3333-4444-555555555555/'],
    [[]],
    [['']],
    [[[ours]]],
    [[ours, 7]],
    [[ours, null]],
    [{ value: ours }],
    [{ 0: ours, length: 1 }],
    [7],
    [true],
    [null],
  ])('is not ours: %j', (aud) => {
    expect(outcome(aud)).toEqual(mismatch)
  })

  it('with a Kelvin sign is not one with a k', () => {
    const kind = createAudienceCheck(['https://kelvin.example/mcp'])
    expect(() => kind.check({ aud: 'https://\u212aelvin.example/mcp' }, ['aud'])).toThrow()
  })

  it('that is another is refused with both, so that the log tells what to change', () => {
    const both = createAudienceCheck([ours, 'api://mcp'])
    const cause = `aud is ["https://other.example"], not ${JSON.stringify(ours)} or "api://mcp"`
    expect(() => both.check({ aud: 'https://other.example' }, ['aud'])).toThrow(expect.objectContaining({ cause }))
  })

  it('that is missing is refused, unless tokens without one pass', () => {
    expect(() => check.check({}, ['aud'])).toThrow(expect.objectContaining({ cause: 'the token names no audience (aud)' }))
    const lenient = createAudienceCheck([ours], 'signature_only')
    expect(lenient.check({}, ['aud'])).toBe('signature_only')
    expect(lenient.check({ aud: ours }, ['aud'])).toBe('audience')
    for (const aud of ['https://other.example', [], null, '']) expect(() => lenient.check({ aud }, ['aud'])).toThrow(mismatch)
  })

  it('may be named by other claims, of which the first that is there decides', () => {
    const claims = ['aud', 'client_id', 'azp']
    const cognito = createAudienceCheck(['client-1'])
    expect(cognito.check({ client_id: 'client-1' }, claims)).toBe('audience')
    expect(cognito.check({ azp: 'client-1' }, claims)).toBe('audience')
    expect(() => cognito.check({ aud: 'https://other.example', client_id: 'client-1' }, claims)).toThrow(mismatch)
    expect(() => cognito.check({ client_id: 'client-1' }, ['aud'])).toThrow(mismatch)
  })

  it('inherits nothing', () => {
    expect(() => check.check(JSON.parse(`{"__proto__":{"aud":"${ours}"}}`), ['aud'])).toThrow(mismatch)
    expect(() => check.check({}, ['constructor'])).toThrow(mismatch)
  })
})

describe('two audiences', () => {
  const segment = fc.string({ unit: fc.constantFrom('a', 'B', '1', '-', '%', '.', '~'), minLength: 1, maxLength: 5 })
  const url = fc
    .tuple(fc.constantFrom('https', 'HTTPS', 'api', 'http'), fc.domain(), fc.array(segment, { maxLength: 3 }))
    .map(([scheme, host, path]) => `${scheme}://${[host, ...path].join('/')}`)

  it('are the same with one final slash more, and in another letter case of scheme and host', () => {
    fc.assert(
      fc.property(url, (text) => {
        const [scheme = '', rest = ''] = text.split('://')
        const [host = '', ...path] = rest.split('/')
        const other = `${scheme.toUpperCase()}://${[host.toUpperCase(), ...path].join('/')}`
        expect(normalizeAudience(`${text}/`)).toBe(normalizeAudience(text))
        expect(normalizeAudience(other)).toBe(normalizeAudience(text))
      }),
    )
  })

  it('are different in any other way', () => {
    fc.assert(
      fc.property(url, url, (one, other) => {
        const isSame = (a: string, b: string) => normalizeAudience(a) === normalizeAudience(b)
        expect(isSame(one, other)).toBe(
          new RegExp(`^${lowerOrigin(one).replaceAll(/[.*+?^$()|[\]\\{}/-]/g, '\\$&')}$`).test(lowerOrigin(other)),
        )
        for (const change of [`${one}//`, `${one}x`, `x${one}`, `${one}?`, `${one} `]) expect(isSame(one, change)).toBe(false)
      }),
    )
  })

  function lowerOrigin(text: string): string {
    const [, origin = '', path = ''] = /^([^/]*\/\/[^/]*)(.*)$/.exec(text) ?? []
    return origin.toLowerCase() + path
  }

  it('without a scheme are compared letter by letter', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('://')),
        (text) => {
          expect(normalizeAudience(text)).toBe(text)
        },
      ),
    )
  })
})
