import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfigFile, loadConfigText } from './load.ts'
import { migrateConfigFile, migrateConfigText } from './migrate.ts'
import { ConfigError } from './problem/problem.ts'

const folder = new URL('../../test/fixtures/go-proxy/', import.meta.url)
const env = { ASGARDEO_CLIENT_SECRET: 'machine-secret', BROKER_KEY: Buffer.alloc(32, 'key of tests').toString('base64') }
const served = readdirSync(folder).filter((name) => !/^(?:stdio|rewriting-provider)\./.test(name))

describe('migrating a file of the Go proxy', () => {
  it.each(served)('prints a file that means the same: %s', (name) => {
    const file = new URL(name, folder).pathname
    const { notices: _, sessionKey: __, ...before } = loadConfigFile(file, { env: {}, terminal: false }).plan
    const {
      notices: ___,
      sessionKey: ____,
      ...after
    } = loadConfigText(migrateConfigFile(file), { env, directory: dirname(file), terminal: false }).plan
    // The old file has no key for the store; one is made of its secret.
    const withoutKeys = (plan: typeof after) => ({
      ...plan,
      storeKeys: [],
      broker: plan.broker && { ...plan.broker, encryptionKeys: [] },
    })
    expect(withoutKeys(after)).toEqual(withoutKeys(before))
  })

  it('says in comments what means something else now, and how editors check the file', () => {
    const text = migrateConfigFile(new URL('shipped-v1.2.yaml', folder).pathname)
    expect(text).toMatch(/^# yaml-language-server: \$schema=\S+\n/)
    expect(text).toMatch(/^# - timeout_seconds: /m)
    expect(text).toMatch(/^# - listen_port: /m)
    expect(text).toMatch(
      /^# Give clients these URLs, .*\n# - http:\/\/localhost:8080\/mcp\n# - http:\/\/localhost:8080\/sse\n\n/m,
    )
  })

  it('names the key of the store where it belongs today, at the top of the file', () => {
    const text = migrateConfigFile(new URL('asgardeo-only.yaml', folder).pathname)
    expect(text).toMatch(/^encryption_keys:\n {2}- env: BROKER_KEY$/m)
    expect(text).not.toMatch(/^broker:/m)
  })

  it('carries no secret over', () => {
    for (const name of served) expect(migrateConfigFile(new URL(name, folder).pathname)).not.toContain('-secret')
  })

  it('refuses what this version cannot serve', () => {
    expect(() => migrateConfigFile(new URL('stdio.yaml', folder).pathname)).toThrow(/is used with `--demo` only/)
  })

  it('refuses mistakes with their line', () => {
    try {
      migrateConfigText('base_url: http://localhost:8000\nlisten_port: 99999\nauthorization_servers: [https://idp.example.com]\n')
      expect.unreachable()
    } catch (error) {
      expect(error instanceof ConfigError && error.problems).toMatchObject([{ path: 'listen_port', position: { line: 2 } }])
    }
  })

  it('has nothing to do for files of this format', () => {
    expect(() => migrateConfigText('servers: []')).toThrow(/not a configuration of the Go proxy/)
  })
})
