import { describe, expect, it } from 'vitest'
import type { ProtectedResource } from '../core/route-facts.ts'
import { createProtectedResourceMetadata } from './protected-resource.ts'

const resource: ProtectedResource = {
  identifier: 'https://mcp.example.com/mcp',
  metadataUrl: 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
  metadataPath: '/.well-known/oauth-protected-resource/mcp',
  authorizationServers: ['https://idp.example.com/tenant/'],
  scopesSupported: ['mcp:read', 'mcp:write'],
  bearerMethods: ['header'],
  name: 'files',
}

describe('protected resource metadata', () => {
  it('says what RFC 9728 §2 asks for, with the issuer verbatim', () => {
    expect(createProtectedResourceMetadata(resource)).toEqual({
      resource: 'https://mcp.example.com/mcp',
      authorization_servers: ['https://idp.example.com/tenant/'],
      scopes_supported: ['mcp:read', 'mcp:write'],
      bearer_methods_supported: ['header'],
      resource_name: 'files',
    })
  })

  it('leaves out empty lists (RFC 9728 §3.2)', () => {
    const document = createProtectedResourceMetadata({ ...resource, scopesSupported: [] })
    expect(Object.keys(document)).not.toContain('scopes_supported')
  })

  it('names no jwks_uri: the keys of the issuer are not keys of the resource', () => {
    expect(Object.keys(createProtectedResourceMetadata(resource))).not.toContain('jwks_uri')
  })
})
