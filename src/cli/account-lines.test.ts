import { expect, it } from 'vitest'
import { loadConfigValue } from '../config/load.ts'
import { formatAccounts } from './account-lines.ts'

function tell(credential: object): string {
  const value = {
    public_url: 'https://mcp.example.com',
    identity_provider: { issuer: 'https://id.example.com', client_id: 'the-client', client_secret: { env: 'SECRET' } },
    broker: { store: { kind: 'memory' } },
    servers: [{ path: '/saas', upstream: 'https://mcp.saas.example/mcp', credential: { kind: 'own_account', ...credential } }],
  }
  const { plan } = loadConfigValue(value, { env: { SECRET: 'hunter2' }, directory: '.', terminal: false })
  return formatAccounts(plan).join('\n')
}

it('`check` names the redirect URI for a client of the configuration, and not its secret', () => {
  const text = tell({ client_id: 'acme', client_secret: { env: 'SECRET' }, issuer: 'https://auth.saas.example' })
  expect(text).toMatch(/the redirect URI https:\/\/mcp\.example\.com\/connections\/callback\/[\w-]{22} of acme\.$/)
  expect(text).not.toContain('hunter2')
})

it('`check` says where users connect accounts where nothing has to be registered', () => {
  expect(tell({})).toBe('Users connect their own accounts for saas, at https://mcp.example.com/connections.')
})
