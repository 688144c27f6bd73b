import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createMetadataSource, formatMetadataUrls, loadAuthorizationServerMetadata } from './authorization-server-metadata.ts'
import type { JsonAnswer, SafeFetch } from './safe-fetch.ts'

/** An outbound fetch that reaches only these documents. */
function publish(documents: Record<string, Record<string, unknown>>) {
  const asked: string[] = []
  const fetchJson: SafeFetch['fetchJson'] = async (url): Promise<JsonAnswer> => {
    asked.push(url)
    const document = documents[url]
    if (document === undefined) throw new Error('status 404')
    return { document, cacheControl: undefined }
  }
  return { asked, fetchJson }
}

const plain = 'https://idp.example.com/.well-known/oauth-authorization-server'
const tenant = 'https://idp.example.com/tenant'
const inserted = 'https://idp.example.com/.well-known/oauth-authorization-server/tenant'
const openidInserted = 'https://idp.example.com/.well-known/openid-configuration/tenant'
const openidAppended = 'https://idp.example.com/tenant/.well-known/openid-configuration'

/** An issuer with one address for everybody. */
const at = (issuer: string) => ({ issuer, metadataUrl: undefined })

describe('the well-known URLs of an issuer', () => {
  it('are asked in the order of the specification: inserted path first, appended path last', () => {
    expect(formatMetadataUrls(tenant)).toEqual([inserted, openidInserted, openidAppended])
  })

  it('are two without a path', () => {
    expect(formatMetadataUrls('https://idp.example.com')).toEqual([
      plain,
      'https://idp.example.com/.well-known/openid-configuration',
    ])
  })

  it('are the same with a final slash, which they leave out', () => {
    expect(formatMetadataUrls('https://idp.example.com/')).toEqual(formatMetadataUrls('https://idp.example.com'))
    expect(formatMetadataUrls(`${tenant}/`)).toEqual(formatMetadataUrls(tenant))
  })

  it('keep the port', () => {
    expect(formatMetadataUrls('http://localhost:8080/realms/a')[2]).toBe(
      'http://localhost:8080/realms/a/.well-known/openid-configuration',
    )
  })
})

describe('metadata that we reach by another address than browsers do', () => {
  const internal = 'http://keycloak:8080'
  const url = `${internal}/tenant/.well-known/openid-configuration`
  const load = (document: Record<string, unknown>, metadataUrl = url) =>
    loadAuthorizationServerMetadata({ issuer: tenant, metadataUrl }, publish({ [metadataUrl]: document }).fetchJson)

  it('names the issuer, and has what we ask at the issuer’s address at this one', async () => {
    const document = { issuer: tenant, jwks_uri: `${tenant}/certs?v=1`, introspection_endpoint: `${tenant}/introspect` }
    expect(await load(document)).toMatchObject({
      issuer: tenant,
      jwksUri: `${internal}/tenant/certs?v=1`,
      introspectionEndpoint: `${internal}/tenant/introspect`,
    })
  })

  it('may have endpoints at that address, or at a third one', async () => {
    const document = { issuer: tenant, jwks_uri: `${internal}/certs`, introspection_endpoint: 'https://elsewhere.example/i' }
    expect(await load(document)).toMatchObject({
      jwksUri: `${internal}/certs`,
      introspectionEndpoint: 'https://elsewhere.example/i',
    })
  })

  it('follows a proxy that takes a path away on the way in', async () => {
    const short = `${internal}/.well-known/openid-configuration`
    const document = { issuer: tenant, jwks_uri: `${tenant}/certs`, introspection_endpoint: 'https://idp.example.com/introspect' }
    expect(await load(document, short)).toMatchObject({
      jwksUri: `${internal}/certs`,
      introspectionEndpoint: `${internal}/introspect`,
    })
  })

  it('is asked for there alone, and must be of this very issuer', async () => {
    const { asked, fetchJson } = publish({ [url]: { issuer: `${internal}/tenant` }, [openidAppended]: { issuer: tenant } })
    await expect(loadAuthorizationServerMetadata({ issuer: tenant, metadataUrl: url }, fetchJson)).rejects.toThrow(/of issuer/)
    expect(asked).toEqual([url])
  })
})

describe('metadata', () => {
  it('gives the endpoints that a resource server needs', async () => {
    const { fetchJson } = publish({
      [inserted]: { issuer: tenant, jwks_uri: 'https://keys.example/', introspection_endpoint: 'https://idp/i' },
    })
    expect(await loadAuthorizationServerMetadata(at(tenant), fetchJson)).toEqual({
      issuer: tenant,
      jwksUri: 'https://keys.example/',
      introspectionEndpoint: 'https://idp/i',
    })
  })

  it.each([[inserted], [openidInserted], [openidAppended]])('is found at %s', async (url) => {
    const { fetchJson } = publish({ [url]: { issuer: tenant, jwks_uri: url } })
    expect((await loadAuthorizationServerMetadata(at(tenant), fetchJson)).jwksUri).toBe(url)
  })

  it('of another issuer is skipped, and the next URL is asked', async () => {
    const { fetchJson, asked } = publish({
      [inserted]: { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' },
      [openidAppended]: { issuer: tenant, jwks_uri: 'https://idp.example.com/keys' },
    })
    expect((await loadAuthorizationServerMetadata(at(tenant), fetchJson)).jwksUri).toBe('https://idp.example.com/keys')
    expect(asked).toEqual([inserted, openidInserted, openidAppended])
  })

  it.each([
    ['another host', 'https://evil.example', /"https:\/\/evil.example", not "https:\/\/idp.example.com\/tenant"/],
    ['a final slash more', `${tenant}/`, /differ by the final slash/],
    ['another letter case', 'https://idp.example.com/Tenant', /not/],
    ['no issuer', undefined, /has no issuer/],
    ['a list of issuers', [tenant], /has no issuer/],
  ])('with %s is refused, and the reason says so', async (_, issuer, reason) => {
    const { fetchJson } = publish({ [inserted]: { issuer, jwks_uri: 'https://idp.example.com/keys' } })
    await expect(loadAuthorizationServerMetadata(at(tenant), fetchJson)).rejects.toThrow(reason)
  })

  it('with a final slash less is refused, too: they are different identifiers', async () => {
    const { fetchJson } = publish({ [plain]: { issuer: 'https://idp.example.com' } })
    await expect(loadAuthorizationServerMetadata(at('https://idp.example.com/'), fetchJson)).rejects.toThrow(/final slash/)
  })

  it('that is nowhere gives the reason for each URL', async () => {
    const { fetchJson } = publish({})
    const reason = await loadAuthorizationServerMetadata(at(tenant), fetchJson).catch((error: Error) => error.message)
    for (const url of formatMetadataUrls(tenant)) expect(reason).toContain(`${url}: status 404`)
  })

  it('without endpoints, or with nonsense for one, has none', async () => {
    const { fetchJson } = publish({ [inserted]: { issuer: tenant, jwks_uri: 7, introspection_endpoint: '' } })
    expect(await loadAuthorizationServerMetadata(at(tenant), fetchJson)).toEqual({
      issuer: tenant,
      jwksUri: undefined,
      introspectionEndpoint: undefined,
    })
  })
})

describe('a metadata source', () => {
  const clock = createFakeClock()

  it('asks once, however many want to know, and again after an hour', async () => {
    const { fetchJson, asked } = publish({ [inserted]: { issuer: tenant } })
    const source = createMetadataSource(at(tenant), fetchJson, clock)
    await Promise.all([source.load(), source.load()])
    await source.load()
    expect(asked).toHaveLength(1)
    clock.advance(60 * 60 * 1000)
    await source.load()
    expect(asked).toHaveLength(2)
  })

  it('asks again after a failure, and when what it said did not work', async () => {
    const documents: Record<string, Record<string, unknown>> = {}
    const { fetchJson } = publish(documents)
    const source = createMetadataSource(at(tenant), fetchJson, clock)
    await expect(source.load()).rejects.toThrow()
    documents[inserted] = { issuer: tenant, jwks_uri: 'https://a/' }
    expect((await source.load()).jwksUri).toBe('https://a/')
    documents[inserted] = { issuer: tenant, jwks_uri: 'https://b/' }
    source.forget()
    expect((await source.load()).jwksUri).toBe('https://b/')
  })
})
