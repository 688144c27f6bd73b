import { describe, expect, it } from 'vitest'
import { createResources, narrowToClient, settleScopes } from './resources.ts'

const resource = {
  identifier: 'https://mcp.example.com/mcp',
  name: 'files',
  scopes: new Set(['read', 'write']),
  defaultScopes: ['read'],
}
const resources = createResources([resource])

describe('the resource that a client names (RFC 8707 §2)', () => {
  it.each([
    'https://mcp.example.com/mcp',
    'https://mcp.example.com/mcp/',
    'HTTPS://MCP.example.COM/mcp',
    'https://mcp.example.com:443/mcp',
  ])('%s is known', (identifier) => {
    expect(resources.find(identifier)?.name).toBe('files')
  })

  it.each([
    'https://user@mcp.example.com/mcp',
    'https://:password@mcp.example.com/mcp',
    'https://user:password@mcp.example.com/mcp',
    'https://mcp.example.com/mcp#fragment',
    'https://mcp.example.com/mcp#',
    'https://mcp.example.com\\mcp',
    ' https://mcp.example.com/mcp',
    'https://mcp.example.com/mcp\n',
    'https://mcp.example.com/mcp?x',
    'https://mcp.example.com/mcp//',
    'https://mcp.example.com/MCP',
    'https://mcp.example.com/',
    'https://evil.example/mcp',
    'http://mcp.example.com/mcp',
    'urn:https://mcp.example.com/mcp',
    'https://',
    '',
  ])('%j is not', (identifier) => {
    expect(resources.find(identifier)).toBeUndefined()
  })

  it('is the only server where none is named, and unknown where there are two', () => {
    expect(resources.sole?.name).toBe('files')
    expect(createResources([resource, { ...resource, identifier: 'https://mcp.example.com/sse' }]).sole?.name).toBe('files')
    expect(createResources([resource, { ...resource, name: 'mail' }]).sole).toBeUndefined()
    expect(createResources([]).sole).toBeUndefined()
  })

  it('without scopes of its own has one for all of it; without usual ones it has all', () => {
    const whole = createResources([{ ...resource, scopes: new Set(), defaultScopes: [] }]).sole
    expect(whole).toMatchObject({ scopes: new Set(['mcp']), defaultScopes: ['mcp'] })
    expect(createResources([{ ...resource, defaultScopes: [] }]).sole?.defaultScopes).toEqual(['read', 'write'])
  })
})

describe('what a client of the configuration may have of it', () => {
  const client = (bounds: object) =>
    ({ id: 'machine', ...bounds }) as unknown as NonNullable<Parameters<typeof narrowToClient>[1]>

  it('is all of it without bounds, and nothing of servers that are not named', () => {
    expect(narrowToClient(resource, undefined)).toBe(resource)
    expect(narrowToClient(resource, client({}))).toBe(resource)
    expect(narrowToClient(resource, client({ servers: ['files'] }))).toBe(resource)
    expect(narrowToClient(resource, client({ servers: ['mail'] }))).toBeUndefined()
    expect(narrowToClient(resource, client({ servers: [] }))).toBeUndefined()
  })

  it('is the scopes that are named and that there are; the usual ones among them, or else all', () => {
    expect(narrowToClient(resource, client({ scopes: ['write', 'admin'] }))).toMatchObject({
      scopes: new Set(['write']),
      defaultScopes: ['write'],
    })
    expect(narrowToClient(resource, client({ scopes: ['read', 'write'] }))?.defaultScopes).toEqual(['read'])
    expect(narrowToClient(resource, client({ scopes: [] }))).toMatchObject({ scopes: new Set(), defaultScopes: [] })
  })
})

it.each([
  ['write admin', 'write'],
  ['admin', 'read'],
  [undefined, 'read'],
  ['  ', 'read'],
  ['openid', 'read openid'],
  ['write write offline_access', 'write offline_access'],
])('a request for %j comes down to %j', (asked, settled) => {
  expect(settleScopes(asked, resource)).toBe(settled)
})
