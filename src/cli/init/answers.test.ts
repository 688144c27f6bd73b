import { describe, expect, it } from 'vitest'
import {
  AnswerError,
  findPublic,
  parseAllow,
  parsePlace,
  parseProvider,
  parsePublicUrl,
  parseScopes,
  parseUpstream,
} from './answers.ts'
import { PROVIDER_CHOICES } from './providers.ts'

const google = parseProvider('google')

describe('answers that cannot be', () => {
  it.each([
    [() => parseUpstream('unix:/run/mcp.sock'), /socket: \/run\/mcp\.sock/],
    [() => parseUpstream('ftp://x'), /not one of http or https/],
    [() => parseUpstream('localhost:8000/mcp'), /write it whole: http:\/\/localhost:8000/],
    [() => parseUpstream('http://user:pass@localhost/mcp'), /user name or password/],
    [() => parseUpstream('a | b'), /pipe/],
    [() => parseUpstream('npx server "unfinished'), /not closed/],
    [() => parseProvider('gogle'), /Is google meant/],
    [() => parseProvider('none'), /google and github.+--demo/],
    [() => parseProvider('No'), /google and github.+--demo/],
    [() => parseProvider(String(PROVIDER_CHOICES.length + 1)), /or its number/],
    [() => parsePlace('common', parseProvider('entra')), /Directory \(tenant\) ID/],
    [() => parsePlace('https://sso.example.com', parseProvider('keycloak')), /URL of the realm/],
    [() => parsePlace('https://a.example.com/authorize', parseProvider('oauth')), /Three URLs/],
    [() => parsePlace('a pool', parseProvider('cognito')), /user pool/],
    [() => parsePublicUrl('https://mcp.example.com/mcp'), /has a path/],
    [() => parsePublicUrl('mcp.example.com'), /absolute/],
    [() => parseAllow('@example.com', parseProvider('entra')), /does not verify email/],
    [() => parseAllow('bob@example.com', parseProvider('entra')), /does not verify email/],
    [() => parseAllow('', google), /write everybody/],
    [() => parseAllow('alice', google), /neither an address.+nor a domain.+nor claim=value/],
    [() => parseAllow('alice', parseProvider('github')), /api\.github\.com\/users\/alice/],
    [() => parseAllow('everybody bob@example.com', google), /"everybody" is neither/],
    [() => parseAllow('groups=', google), /"groups=" is neither/],
    [() => parseAllow('@', google), /"@" is neither/],
    [() => parseAllow('bob@localhost', google), /neither/],
    [() => parseAllow('<bob@example.com>', google), /neither/],
    [() => parseAllow('https://example.com', google), /neither/],
    [() => parseScopes('sco"pe'), /cannot be a scope/],
    [() => parseScopes('bob@example.com'), /is a condition on users/],
    [() => parseScopes('groups=admins'), /is a condition on users/],
    [() => parseScopes('everybody'), /is a condition on users/],
  ])('are told why: %s', (answer, said) => {
    expect(answer).toThrow(AnswerError)
    expect(answer).toThrow(said)
  })
})

describe('answers', () => {
  it('name a kind by its word, in any letter case, or by its number', () => {
    expect(parseProvider('Entra').choice).toBe('entra')
    expect(parseProvider('1').choice).toBe('google')
    expect(parseProvider(String(PROVIDER_CHOICES.length)).choice).toBe('issuer')
  })

  it('say who may sign in: addresses, domains, claims', () => {
    expect(
      parseAllow(' bob@example.com, example.com  groups=x=y @example.org *@example.net groups=z Ann@example.com', google),
    ).toEqual([
      { claim: 'email', values: ['bob@example.com', 'Ann@example.com'] },
      { claim: 'email_domain', values: ['example.com', 'example.org', 'example.net'] },
      { claim: 'groups', values: ['x=y', 'z'] },
    ])
  })

  it.each(['everybody', 'Everyone', 'anyone', '*'])('name everybody by a word: %s', (word) => {
    expect(parseAllow(word, google)).toEqual([])
  })

  it('name scopes once each', () => {
    expect(parseScopes(' a, b:read a')).toEqual(['a', 'b:read'])
    expect(parseScopes('')).toEqual([])
  })

  it.each([
    ['google', {}, /Google/],
    ['google', { domain: 'example.com' }, undefined],
    ['github', {}, /GitHub/],
    ['github', { organization: 'acme' }, undefined],
    ['auth0', { domain: 'acme.auth0.com' }, /signs up/],
    ['oidc', { issuer: 'https://accounts.google.com' }, /Google/],
    ['oidc', { issuer: 'https://idp.example.com' }, undefined],
    ['issuer', { issuer: 'https://accounts.google.com' }, undefined],
  ])('lead to a provider that is open to the public, or not: %s %j', (kind, place, expected) => {
    const found = findPublic(parseProvider(kind), place)
    if (expected === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(expected)
  })
})
