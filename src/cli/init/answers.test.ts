import { describe, expect, it } from 'vitest'
import { AnswerError, parseAccess, parsePlace, parseProvider, parsePublicUrl, parseUpstream } from './answers.ts'

const google = parseProvider('google')
const none = parseProvider('issuer')

describe('answers that cannot be', () => {
  it.each([
    [() => parseUpstream('ftp://x'), /not one of http or https/],
    [() => parseUpstream('localhost:8000/mcp'), /write it whole: http:\/\/localhost:8000/],
    [() => parseUpstream('http://user:pass@localhost/mcp'), /user name or password/],
    [() => parseUpstream('a | b'), /pipe/],
    [() => parseUpstream('npx server "unfinished'), /not closed/],
    [() => parseProvider('gogle'), /Is google meant/],
    [() => parseProvider('12'), /or its number/],
    [() => parsePlace('common', parseProvider('entra')), /Directory \(tenant\) ID/],
    [() => parsePlace('https://sso.example.com', parseProvider('keycloak')), /URL of the realm/],
    [() => parsePlace('https://a.example.com/authorize', parseProvider('oauth')), /Three URLs/],
    [() => parsePlace('a pool', parseProvider('cognito')), /user pool/],
    [() => parsePublicUrl('https://mcp.example.com/mcp'), /has a path/],
    [() => parsePublicUrl('mcp.example.com'), /absolute/],
    [() => parseAccess('@example.com', none, {}), /decided by that authorization server/],
    [() => parseAccess('@example.com', google, { domain: 'example.com' }), /The domain says already/],
    [() => parseAccess('@example.com', parseProvider('entra'), {}), /does not verify email/],
    [() => parseAccess('sco"pe', google, {}), /is not a scope/],
    [() => parseAccess('groups=', google, {}), /neither @domain nor claim=value/],
    [() => parseAccess('@', google, {}), /neither @domain nor claim=value/],
  ])('are told why: %s', (answer, said) => {
    expect(answer).toThrow(AnswerError)
    expect(answer).toThrow(said)
  })
})

describe('answers', () => {
  it('name a kind by its word, in any letter case, or by its number', () => {
    expect(parseProvider('Entra').choice).toBe('entra')
    expect(parseProvider('1').choice).toBe('google')
    expect(parseProvider('11').choice).toBe('issuer')
  })

  it('say who and what in one line', () => {
    expect(parseAccess(' a, b  groups=x=y @example.com a groups=z', google, {})).toEqual({
      scopes: ['a', 'b'],
      allow: [
        { claim: 'groups', values: ['x=y', 'z'] },
        { claim: 'email_domain', values: ['example.com'] },
      ],
    })
  })
})
