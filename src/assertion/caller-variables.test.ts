import { expect, it } from 'vitest'
import type { Principal } from '../core/principal.ts'
import { listVariables } from './caller-variables.ts'

const createPrincipal = (claims: object): Principal =>
  ({
    issuer: 'https://idp.example.com',
    subject: 'alice',
    scopes: new Set(['a', 'b']),
    groups: ['x'],
    claims,
  }) as unknown as Principal
const list = (claims: object, claim = 'team') =>
  listVariables([{ name: 'MCP_TEAM', claim }], createPrincipal(claims), 'https://mcp.example.com')

it.each([
  ['Grüße, 100%', 'Gr%C3%BC%C3%9Fe%2C 100%25'],
  [['a', 7, true], 'a,7,true'],
  ['f() { }', 'f() { }'],
  ['a'.repeat(32_768), 'a'.repeat(32_768)],
])('%# is a variable', (team, written) => {
  expect(list({ team }).values).toEqual({ MCP_TEAM: written })
})

it.each([
  ...['', 'a\0', 'a\n', '\u001b[0m', '\x7f', '\u0085', '\u2028', '\u2029', '() { :; }', '()', '\ud800', 'a'.repeat(32_769)],
  // Each character becomes six.
  'ß'.repeat(6_000),
  ...[undefined, null, {}, [], ['a', 'b\n'], [['a']], [null], 1.5],
])('%# is none', (team) => {
  expect(list({ team }).values).toEqual({})
})

it('has the name of the caller that assertions have, scopes, and groups where they are known', () => {
  expect(list({}, 'sub').values).toEqual({ MCP_TEAM: 'https://idp.example.com|alice' })
  expect(list({}, 'scope').values).toEqual({ MCP_TEAM: 'a b' })
  expect(list({}, 'groups').values).toEqual({ MCP_TEAM: 'x' })
  expect(list({ email: 'a@example.com' }, 'email').values).toEqual({})
})

it('has one digest for the same values, and another one for others', () => {
  const digests = [{ team: 'a' }, { team: 'a', jti: '1' }, { team: 'b' }, {}].map((claims) => list(claims).digest)
  expect(digests[0]).toBe(digests[1])
  expect(new Set(digests).size).toBe(3)
})
