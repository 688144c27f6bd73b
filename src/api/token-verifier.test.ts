import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startIssuer, type TestIssuer } from '../../test/support/tokens.ts'
import { ConfigError, createTokenVerifier, findErrorEntry, ProxyError, type TokenVerifier } from './token-verifier.ts'

const audience = 'https://mcp.example.com/mcp'

describe('a token verifier of its own', () => {
  let issuer: TestIssuer
  let verifier: TokenVerifier
  beforeAll(async () => {
    issuer = await startIssuer()
    verifier = createTokenVerifier({ issuers: [issuer.issuer], audiences: [audience] })
  })
  afterAll(async () => {
    await verifier.close()
    await issuer.close()
  })

  const codeOf = (token: string) =>
    verifier.verify(token).then(
      () => undefined,
      (error: unknown) => (error instanceof ProxyError ? [error.code, findErrorEntry(error.code).status] : error),
    )

  it('tells who calls with a token for the audience, and is ready from then on', async () => {
    const token = await issuer.mint({ claims: { aud: audience, sub: 'alice', scope: 'mcp:tools' } })
    expect(await verifier.verify(token)).toMatchObject({
      issuer: issuer.issuer,
      subject: 'alice',
      scopes: new Set(['mcp:tools']),
    })
    expect(verifier.isReady()).toBe(true)
  })

  it('rejects what is no token, not signed, or for another audience or none, with a code of the catalogue', async () => {
    expect(await codeOf('x')).toEqual(['token_invalid', 401])
    expect(await codeOf('x'.repeat(20_000))).toEqual(['token_invalid', 401])
    expect(await codeOf(await issuer.mint({ claims: { aud: 'https://other.example' } }))).toEqual([
      'token_audience_mismatch',
      401,
    ])
    expect(await codeOf(await issuer.mint({ claims: { aud: undefined } }))).toEqual(['token_audience_mismatch', 401])
  })

  it('says 503 where the issuer cannot be reached', async () => {
    const port = new URL(issuer.issuer).port
    const away = createTokenVerifier({
      issuers: [{ issuer: issuer.issuer, jwks_uri: `http://127.0.0.1:${port}/nothing` }],
      audiences: [audience],
    })
    const token = await issuer.mint({ claims: { aud: audience } })
    await expect(away.verify(token)).rejects.toMatchObject({ code: 'issuer_unavailable' })
    await away.close()
  })

  it('says which choices weaken it', () => {
    const idp = 'https://idp.example.com'
    const create = (accepts: boolean) =>
      createTokenVerifier({ issuers: [{ issuer: idp, accept_id_tokens: accepts }], audiences: [audience] })
    expect(create(false).notices).toEqual([])
    expect(create(true).notices).toEqual([expect.stringContaining('accept_id_tokens')])
  })

  it('is not made of a configuration with mistakes, nor without an audience', () => {
    const make = () =>
      createTokenVerifier({
        issuers: ['idp', { issuer: 'https://idp.example.com', algoritms: [] } as never],
        audiences: [audience],
      })
    expect(make).toThrow(ConfigError)
    expect(make).toThrow(/issuers\[0\][\s\S]*issuers\[1\]/)
    expect(make).not.toThrow(/servers/)
    expect(() => createTokenVerifier({ issuers: ['https://idp.example.com'], audiences: [] })).toThrow(TypeError)
  })
})
