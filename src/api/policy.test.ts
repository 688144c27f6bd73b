import { describe, expect, it } from 'vitest'
import { ConfigError, createPolicy, type Principal, parseOperations } from './policy.ts'

const principalWith = (...scopes: string[]): Principal => ({
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: 'app',
  scopes: new Set(scopes),
  groups: [],
  assurance: 'audience',
  expiresAt: 0,
  acceptedUntil: 0,
  claims: {},
})

const callOf = (name: string) =>
  parseOperations(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }))

describe('a policy of its own', () => {
  const policy = createPolicy({ scopes: ['mcp:tools'], rules: [{ tool: 'delete_*', scopes: ['mcp:admin'] }] })

  it('permits what the scopes suffice for', () => {
    expect(policy.decide(principalWith('mcp:tools'), callOf('echo'))).toEqual({ effect: 'permit' })
    expect(policy.decide(principalWith('mcp:tools', 'mcp:admin'), callOf('delete_all'))).toEqual({ effect: 'permit' })
  })

  it('denies the rest, and names all scopes that the request needs and those that are missing', () => {
    expect(policy.decide(principalWith('mcp:tools'), callOf('delete_all'))).toMatchObject({
      effect: 'deny',
      scopes: ['mcp:admin', 'mcp:tools'],
      missing: ['mcp:admin'],
    })
    expect(policy.decide(principalWith(), [])).toMatchObject({ effect: 'deny', missing: ['mcp:tools'] })
  })

  it('knows the scopes that it can ask for', () => {
    expect([...policy.knownScopes].sort()).toEqual(['mcp:admin', 'mcp:tools'])
  })

  it('has rules about the path that it is for', () => {
    const rules = [{ path: '/files', scopes: ['files'] }]
    expect(createPolicy({ path: '/files', rules }).decide(principalWith(), callOf('echo')).effect).toBe('deny')
    expect(() => createPolicy({ rules })).toThrow(ConfigError)
  })

  it('is not made of a configuration with mistakes, which are named where they are', () => {
    const make = () =>
      createPolicy({
        rules: [
          { tool: 'x', scopes: ['x'] },
          { tool: '', scopes: ['x'] },
        ],
      })
    expect(make).toThrow(ConfigError)
    expect(make).toThrow(/rules\[1\]\.tool/)
    expect(make).not.toThrow(/servers/)
  })
})

it('a policy says what looks like a slip, and nothing about a proxy that is not there', () => {
  expect(createPolicy({ rules: [{ method: 'tool/call', scopes: ['x'] }] }).notices).toEqual([
    'no revision of MCP has the method "tool/call" of a rule. Was tools/call meant?',
  ])
  expect(createPolicy({ scopes: ['mcp:tools'] }).notices).toEqual([])
})

it('a rule about arguments needs the body', () => {
  const policy = createPolicy({ rules: [{ tool: 'pay', require: 'args.amount <= 100' }] })
  const body = (amount: number) =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'pay', arguments: { amount } } })
  const decide = (amount: number) => policy.decide(principalWith(), parseOperations(body(amount)), { body: body(amount) })
  expect(decide(100).effect).toBe('permit')
  expect(decide(101).effect).toBe('deny')
  expect(() => policy.decide(principalWith(), parseOperations(body(1)))).toThrow(/pass the body/)
})

describe('the operations of a body', () => {
  it('are those of each message of a batch', () => {
    const body = '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"}]'
    expect(parseOperations(body).map(({ kind, method }) => [kind, method])).toEqual([
      ['request', 'ping'],
      ['notification', 'notifications/initialized'],
    ])
  })

  it.each([
    ['{', 'json_invalid'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', 'json_ambiguous'],
    ['{"jsonrpc":"2.0","id":1}', 'message_invalid'],
    [`[${Array(51).fill('{"jsonrpc":"2.0","id":1,"method":"ping"}').join()}]`, 'message_invalid'],
  ])('are not read from %.40s: %s', (body, code) => {
    expect(() => parseOperations(body)).toThrow(expect.objectContaining({ code }))
  })
})
