import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatChallenge } from './challenge.ts'

/** An independent reader of one challenge, by the grammar of RFC 9110 §11.2 and §5.6.4. Throws on anything else. */
function parseChallenge(header: string): { scheme: string; parameters: Map<string, string> } {
  const scheme = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+/.exec(header)?.[0] ?? ''
  const parameters = new Map<string, string>()
  const parameter = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="((?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*)"/y
  let position = scheme.length
  for (let first = true; position < header.length; first = false) {
    const separator = first ? ' ' : ', '
    if (!header.startsWith(separator, position)) throw new Error(`no separator at ${position}: ${header}`)
    parameter.lastIndex = position + separator.length
    const found = parameter.exec(header)
    if (found === null) throw new Error(`no parameter at ${position}: ${header}`)
    const [, name = '', value = ''] = found
    if (parameters.has(name)) throw new Error(`${name} twice`)
    parameters.set(name, value.replaceAll(/\\(.)/g, '$1'))
    position = parameter.lastIndex
  }
  return { scheme, parameters }
}

/** How the TypeScript SDK looks for a parameter: anywhere in the header, quoted or not. */
function findAsTypeScriptSdk(header: string, name: string): string | undefined {
  const found = new RegExp(`${name}=(?:"([^"]+)"|([^\\s,]+))`).exec(header)
  return found?.[1] ?? found?.[2]
}

/** How the Python SDK does. */
function findAsPythonSdk(header: string, name: string): string | undefined {
  const found = new RegExp(`${name}=(?:"([^"]+)"|([^\\s,]+))`).exec(header)
  return found ? found[1] || found[2] : undefined
}

/** VS Code splits at commas outside quotes and knows no escapes. */
function parseAsVsCode(header: string): Map<string, string> {
  if (!header.startsWith('Bearer')) throw new Error('not Bearer')
  const parameters = new Map<string, string>()
  for (const piece of header.slice('Bearer'.length).match(/(?:[^,"]|"[^"]*")+/g) ?? []) {
    const equals = piece.indexOf('=')
    if (equals !== -1)
      parameters.set(
        piece.slice(0, equals).trim(),
        piece
          .slice(equals + 1)
          .trim()
          .replace(/^"|"$/g, ''),
      )
  }
  return parameters
}

const scopeCharacters = Array.from({ length: 94 }, (_, index) => String.fromCharCode(index + 0x21)).filter(
  (c) => c !== '"' && c !== '\\',
)
const scope = fc
  .string({ unit: fc.constantFrom(...scopeCharacters), minLength: 1, maxLength: 20 })
  .filter((text) => !/(resource_metadata|scope|error|error_description)=/i.test(text))

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('scope=', 'error=', 'error_description=', '"', '\\', ', ', 'x', 'SCOPE=', '\r\n', 'é', '\ud800'))
    .map((parts) => parts.join('')),
)

describe('a challenge', () => {
  it('names the metadata, then the scopes, then the error', () => {
    const challenge = formatChallenge({
      resourceMetadata: 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
      scope: ['mcp:read', 'mcp:write'],
      error: 'insufficient_scope',
      errorDescription: 'The access token lacks a scope that this operation needs',
    })
    expect(challenge).toBe(
      'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="mcp:read mcp:write", error="insufficient_scope", error_description="The access token lacks a scope that this operation needs"',
    )
  })

  it('has no error when no token was sent (RFC 6750 §3.1)', () => {
    const challenge = formatChallenge({ resourceMetadata: 'https://a.example/m', scope: [] })
    expect(challenge).toBe('Bearer resource_metadata="https://a.example/m"')
    expect(formatChallenge({ scope: [] })).toBe('Bearer')
  })

  it('names each scope once, in the order given', () => {
    expect(formatChallenge({ scope: ['b', 'a', 'b'] })).toBe('Bearer scope="b a"')
  })

  it('leaves out what cannot be a scope, since it would end the quotes or begin a parameter', () => {
    expect(formatChallenge({ scope: ['a', 'b"', 'c\\', 'd e', '', 'error=x', 'é'] })).toBe('Bearer scope="a"')
  })

  it('reads the same to every client, whatever it is made of', () => {
    fc.assert(
      fc.property(
        fc.webUrl({ withFragments: true, withQueryParameters: true }),
        fc.uniqueArray(scope),
        anything,
        anything,
        (url, scopes, error, description) => {
          const header = formatChallenge({ resourceMetadata: url, scope: scopes, error, errorDescription: description })
          const { scheme, parameters } = parseChallenge(header)
          const names = ['resource_metadata', ...(scopes.length > 0 ? ['scope'] : []), 'error', 'error_description']
          expect(scheme).toBe('Bearer')
          expect([...parameters.keys()]).toEqual(names)
          expect(parameters.get('scope') ?? '').toBe(scopes.join(' '))
          expect(header).toMatch(/^[\x20-\x7e]*$/)
          for (const name of ['resource_metadata', 'scope']) {
            expect(findAsTypeScriptSdk(header, name)).toBe(parameters.get(name))
            expect(findAsPythonSdk(header, name)).toBe(parameters.get(name))
          }
          if (parameters.get('error') !== '') expect(findAsTypeScriptSdk(header, 'error')).toBe(parameters.get('error'))
          expect(parseAsVsCode(header)).toEqual(parameters)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('never lets a URL out of its quotes', () => {
    fc.assert(
      fc.property(anything, (url) => {
        const { parameters } = parseChallenge(formatChallenge({ resourceMetadata: url, scope: [] }))
        expect([...parameters.keys()]).toEqual(['resource_metadata'])
      }),
    )
  })

  it('is the same for the same refusal, byte for byte', () => {
    fc.assert(
      fc.property(fc.array(scope), fc.string(), (scopes, error) => {
        const challenge = () => formatChallenge({ resourceMetadata: 'https://a.example/m', scope: [...scopes], error })
        expect(challenge()).toBe(challenge())
      }),
    )
  })
})
