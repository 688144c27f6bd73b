import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type LoadOptions, loadConfigText } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const FILE = `
public_url: https://mcp.example.com
listen: { host: 0.0.0.0, tls: { cert_file: tls/tls.crt, key_file: tls/tls.key } }
admin: { port: 9090, token: { file: secrets/admin } }
session_key: { env: SESSION_KEY }
encryption_keys: [{ env: BROKER_KEY }]
store: { kind: redis, url: "redis://redis:6379", password: { env: REDIS_PASSWORD } }
identity_provider:
  { kind: google, client_id: 123.apps.googleusercontent.com, client_secret: { env: SECRET }, allow: [{ claim: hd, values: [example.com] }] }
broker:
  clients:
    - { client_id: nightly, public_keys_file: keys.pem, grants: [client_credentials], scopes: [a] }
    - { client_id: weekly, client_secret: { env: WEEKLY }, grants: [client_credentials], scopes: [a] }
issuers:
  - issuer: https://idp.example.com
    ca_file: ca.pem
    introspection:
      client_id: proxy
      client_authentication: private_key_jwt
      private_key: { env: PRIVATE_KEY }
      algorithm: RS256
servers:
  - path: /mcp
    upstream: { url: "https://mcp.internal/mcp", ca_file: ca.pem, headers: { X-Key: { env: KEY, prefix: "Key " } } }
    scopes: [a]
`

const directory = mkdtempSync(join(tmpdir(), 'stand-ins-'))
afterAll(() => rmSync(directory, { recursive: true }))

function load(text: string, options: Partial<LoadOptions> = {}) {
  return loadConfigText(text, { env: {}, directory, terminal: false, secrets: 'stand_in', ...options })
}

function findMistakes(text: string, options: Partial<LoadOptions> = {}): readonly string[] {
  try {
    load(text, options)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason }) => `${path} ${reason}`)
    throw error
  }
  return []
}

describe('a configuration that is checked without its secrets', () => {
  it('needs no secret, and no file that is only where it runs', () => {
    const { plan } = load(FILE)
    expect(plan.servers).toHaveLength(1)
    expect(plan.listen.tls).toBeDefined()
    expect(findMistakes(FILE, { secrets: undefined }).length).toBeGreaterThan(8)
  })

  it('has all other mistakes told', () => {
    expect(
      findMistakes(FILE.replace('scopes: [a]\n', 'scopes: [a]\n    scoped: 1\n').replace('kind: redis, url', 'kind: redis, uri')),
    ).toEqual(['store.uri is not a known key', 'servers[0].scoped is not a known key'])
  })

  it('has placeholders refused, as the start refuses them', () => {
    const text = FILE.replace('123.apps.googleusercontent.com', 'REPLACE-WITH-THE-CLIENT-ID')
    expect(findMistakes(text)).toEqual(['identity_provider.client_id is a placeholder'])
    expect(findMistakes(text, { secrets: undefined })).toContain('identity_provider.client_id is a placeholder')
  })

  it.each(['REPLACE-WITH-your-id', 'REPLACE-WITH-1', 'REPLACE-WITH-<id>', 'https://REPLACE-WITH-host'])(
    'has placeholders refused, whatever is written behind: %s',
    (id) => {
      expect(findMistakes(FILE.replace('123.apps.googleusercontent.com', `"${id}"`))).toEqual([
        'identity_provider.client_id is a placeholder',
      ])
    },
  )

  it('does not look at secrets that are there', () => {
    expect(findMistakes(FILE, { env: { BROKER_KEY: 'too short', SESSION_KEY: 'short' } })).toEqual([])
  })
})

it('refuses a secret that is a placeholder without repeating it', () => {
  const text =
    'issuers: [https://idp.example.com]\nsession_key: { env: K }\nservers: [{ path: /mcp, upstream: "http://localhost:1/mcp" }]'
  const env = { K: `REPLACE-WITH-A-KEY-${'x'.repeat(40)}` }
  expect(findMistakes(text, { secrets: undefined, env })).toEqual(['session_key is a placeholder'])
})
