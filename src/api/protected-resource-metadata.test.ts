import { describe, expect, it } from 'vitest'
import { createProtectedResourceMetadata, formatMetadataUrl } from './protected-resource-metadata.ts'

describe('protected resource metadata', () => {
  const resource = 'https://mcp.example.com/mcp'

  it('names the resource and its authorization servers, and leaves out what there is none of', () => {
    expect(
      createProtectedResourceMetadata({ resource, authorizationServers: ['https://idp.example.com'], name: 'Files' }),
    ).toEqual({
      resource,
      authorization_servers: ['https://idp.example.com'],
      bearer_methods_supported: ['header'],
      resource_name: 'Files',
    })
  })

  it('names scopes and other bearer methods where there are some', () => {
    const more = { scopesSupported: ['mcp:tools'], bearerMethods: ['header', 'body'] } as const
    expect(createProtectedResourceMetadata({ resource, authorizationServers: [], name: 'Files', ...more })).toMatchObject({
      scopes_supported: ['mcp:tools'],
      bearer_methods_supported: ['header', 'body'],
    })
  })

  it.each([
    ['https://mcp.example.com/mcp', 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'],
    ['https://mcp.example.com/a/b', 'https://mcp.example.com/.well-known/oauth-protected-resource/a/b'],
    ['https://mcp.example.com', 'https://mcp.example.com/.well-known/oauth-protected-resource'],
    ['https://mcp.example.com/', 'https://mcp.example.com/.well-known/oauth-protected-resource'],
    ['http://localhost:8080/mcp', 'http://localhost:8080/.well-known/oauth-protected-resource/mcp'],
  ])('of %s is at %s (RFC 9728 §3.1)', (identifier, url) => {
    expect(formatMetadataUrl(identifier)).toBe(url)
  })

  it.each([
    'mcp.example.com',
    '/mcp',
    'ftp://mcp.example.com/',
    `${resource}?x=1`,
    `${resource}?`,
    `${resource}#x`,
    'https://a:b@mcp.example.com/',
  ])('is not made for %j, which is no resource identifier', (identifier) => {
    expect(() => formatMetadataUrl(identifier)).toThrow(TypeError)
    expect(() => createProtectedResourceMetadata({ resource: identifier, authorizationServers: [], name: 'x' })).toThrow(
      TypeError,
    )
  })
})
