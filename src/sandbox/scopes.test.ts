import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../config/load.ts'
import { assignScopes } from './scopes.ts'

function assign(policy: object) {
  const value = {
    issuers: ['https://idp.example.com'],
    servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...policy }],
  }
  const { plan } = loadConfigValue(value, { env: {}, directory: '.', terminal: false })
  const [alice, bob] = assignScopes(plan.servers).users
  return { alice: alice?.mayGrant, bob: bob?.mayGrant }
}

describe('what the sample users of the sandbox may have', () => {
  it.each([
    ['whole servers', { scopes: ['all'] }, ['all']],
    ['methods', { rules: [{ method: 'tools/call', scopes: ['call'] }] }, ['call']],
    ['all tools', { rules: [{ tool: '*', scopes: ['call'] }] }, ['call']],
    ['all prompts', { scopes: ['all'], rules: [{ prompt: '*', scopes: ['ask'] }] }, ['all', 'ask']],
  ])('is the same for both where scopes are for %s', (_what, policy, scopes) => {
    expect(assign(policy)).toEqual({ alice: scopes, bob: scopes })
  })

  it.each([
    ['a tool', { rules: [{ tool: 'admin_*', scopes: ['admin'] }] }],
    ['a prompt', { rules: [{ prompt: 'secret', scopes: ['admin'] }] }],
    ['a resource', { rules: [{ resource: 'file:///etc/*', scopes: ['admin'] }] }],
  ])('is more for the administrator where a scope is for %s alone', (_what, { rules }) => {
    expect(assign({ scopes: ['all'], rules })).toEqual({ alice: ['all'], bob: ['all', 'admin'] })
  })
})
