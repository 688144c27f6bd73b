import { expect, it } from 'vitest'
import { formatChallenge } from './challenge.ts'

it('a request without a token gets the address of the metadata and the scopes to ask for, and no error', () => {
  const resourceMetadata = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'
  expect(formatChallenge({ resourceMetadata, scopes: ['a', 'b'] })).toBe(
    'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="a b"',
  )
})

it('a refused token gets the error and what is wrong', () => {
  expect(formatChallenge({ error: 'invalid_token', errorDescription: 'expired' })).toBe(
    'Bearer error="invalid_token", error_description="expired"',
  )
})

it('nothing to say is a bare challenge', () => {
  expect(formatChallenge()).toBe('Bearer')
  expect(formatChallenge({ scopes: [] })).toBe('Bearer')
})

it('text of other parties cannot add a parameter', () => {
  expect(formatChallenge({ errorDescription: 'x", scope="admin' })).not.toContain('scope=')
})
