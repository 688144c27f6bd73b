import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import type { Plan } from '../core/plan/plan.ts'
import { loadConfigValue } from './load.ts'
import { ConfigError } from './problem/problem.ts'

const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
afterAll(() => rmSync(directory, { recursive: true }))

const smallest = { issuers: ['https://idp.example.com'], servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp' }] }

function write(name: string, text: string): { file: string } {
  writeFileSync(join(directory, name), text)
  return { file: name }
}

function load(value: unknown, env: Record<string, string> = {}): Plan {
  return loadConfigValue(value, { env, directory, terminal: false }).plan
}

function reasonsOf(value: unknown, env: Record<string, string> = {}): string[] {
  try {
    load(value, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason }) => `${path}: ${reason}`)
    throw error
  }
  return []
}

describe('secrets', () => {
  it('of an audit log that is chained come from a file as well, and must be there', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const withKey = (key: object) => ({ ...smallest, audit: { file: 'audit.jsonl', chain: { key } } })
    expect(load(withKey(write('audit.key', pem))).audit?.chain?.key.trim()).toBe(pem.trim())
    expect(reasonsOf(withKey({ file: 'missing.key' }))).toEqual([expect.stringMatching(/^audit\.chain\.key\.file: /)])
  })

  it('come from the environment or from a file, whose final line break is no part of them', () => {
    const headers = {
      Authorization: { env: 'TOKEN', prefix: 'Bearer ' },
      'X-Api-Key': write('key', 'from-file\r\n'),
      'X-Region': 'eu',
    }
    const [server] = load(
      { ...smallest, servers: [{ path: '/mcp', upstream: { url: 'http://localhost', headers } }] },
      { TOKEN: 'abc' },
    ).servers
    const own = { authorization: 'Bearer abc', 'x-api-key': 'from-file', 'x-region': 'eu' }
    expect(server?.endpoints[0]?.upstream).toHaveProperty('headers', own)
  })

  it.each([
    ['abc', 'abc'],
    ['abc\n', 'abc'],
    ['abc\r\n', 'abc'],
    ['abc\n\n', 'abc\n'],
    [' abc \n', ' abc '],
    ['-----BEGIN\nkey\nEND-----\n', '-----BEGIN\nkey\nEND-----'],
  ])('lose one final line break and nothing else, in a file and in a variable alike: %j', (written, secret) => {
    const env = { FROM_FILE: write('secret', written), FROM_VARIABLE: { env: 'SECRET' } }
    const [server] = load(
      { ...smallest, servers: [{ path: '/mcp', upstream: { command: ['x'], env } }] },
      { SECRET: written },
    ).servers
    expect(server?.endpoints[0]?.upstream).toHaveProperty('env', { FROM_FILE: secret, FROM_VARIABLE: secret })
  })

  it.each<[string, unknown]>([
    ['session_key', { 's3cr3t/value0123456789': null }],
    ['session_key', { s3cr3tvalue0123456789: null }],
    ['session_key', { env: 's3cr3tvalue0123456789' }],
    ['session_key', { file: 's3cr3tvalue0123456789' }],
  ])('that stand where their name should are not repeated: %s %j', (key, value) => {
    const reasons = reasonsOf({ ...smallest, [key]: value })
    expect(reasons.length).toBeGreaterThan(0)
    expect(reasons.join()).not.toMatch(/s3cr3t/)
  })

  it.each<[string, Record<string, unknown>]>([
    ['a list for the environment', { command: ['x'], env: ['TOKEN s3cr3t'] }],
    ['a list with colons', { command: ['x'], env: ['TOKEN: s3cr3t'] }],
    ['names with values', { command: ['x'], env: { 'TOKEN=s3cr3t': null } }],
    ['a key that is the secret', { command: ['x'], env: { TOKEN: { 's3cr3t-0123456789': 1 } } }],
    ['a header in one piece', { url: 'http://localhost/', headers: { 'Authorization Bearer s3cr3t': 'x' } }],
  ])('that stand beside a name by mistake are not repeated: %s', (_, upstream) => {
    const reasons = reasonsOf({ ...smallest, servers: [{ path: '/mcp', upstream }] })
    expect(reasons.length).toBeGreaterThan(0)
    expect(reasons.join()).not.toMatch(/s3cr3t/)
  })

  it.each(['short', 'a b'.repeat(20)])(
    'that no header could hold, or anybody could guess, are no token for operators: %s',
    (TOKEN) => {
      const reasons = reasonsOf({ ...smallest, admin: { port: 1, token: { env: 'TOKEN' } } }, { TOKEN })
      expect(reasons).toEqual([expect.stringMatching(/admin\.token: .*32 characters/)])
    },
  )

  it('that are zeros alone stop the start: everybody could make up such a key', () => {
    const env = { KEY: Buffer.alloc(32).toString('base64') }
    expect(reasonsOf({ ...smallest, session_key: { env: 'KEY' } }, env).join()).toMatch(/session_key: .*all zeros/)
  })

  it.each<[at: string, stored: object]>([
    ['encryption_keys[0]', { encryption_keys: [{ env: 'KEY' }] }],
    ['encryption_keys[1]', { encryption_keys: [{ env: 'GOOD' }, { env: 'KEY' }] }],
  ])('that are zeros alone encrypt nothing behind a public URL: %s', (at, stored) => {
    const env = {
      KEY: Buffer.alloc(32).toString('base64'),
      GOOD: Buffer.from('3q2-7wABAgMEBQYHCAkKCwwN4f9xyz0123456789abc', 'base64url').toString('base64'),
    }
    const config = { ...smallest, session_key: undefined, ...stored }
    const found = reasonsOf({ ...config, public_url: 'https://mcp.example.com' }, env)
    expect(found).toEqual([expect.stringMatching(/^encryption_keys\[\d\]: .*all zeros/)])
    expect(found[0]?.startsWith(at)).toBe(true)
    for (const local of [undefined, 'http://localhost:8080', 'http://127.0.0.1:8080']) {
      const { notices } = load({ ...config, public_url: local }, env)
      expect(notices.filter((notice) => notice.startsWith(`${at}: a pattern that anyone can guess`))).toHaveLength(1)
    }
  })

  it.each([
    ['one byte, repeated', Buffer.alloc(32, 7)],
    ['a few bytes, repeated', Buffer.alloc(32, 'test')],
    ['0, 1, 2 and so on', Buffer.from(Array.from({ length: 32 }, (_, index) => index))],
    ['a count that begins anew at 256', Buffer.from(Array.from({ length: 32 }, (_, index) => 250 + index))],
    ['a count downwards', Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - 3 * index))],
  ])('that are a pattern are told of at the start, since anyone could make up such a key: %s', (_what, bytes) => {
    const KEY = bytes.toString('base64')
    const session = load({ ...smallest, session_key: { env: 'KEY' } }, { KEY }).notices
    expect(session.filter((notice) => /^session_key: a pattern that anyone can guess/.test(notice))).toHaveLength(1)
    const encryption = load({ ...smallest, session_key: undefined, encryption_keys: [{ env: 'KEY' }] }, { KEY }).notices
    expect(encryption.filter((notice) => /^encryption_keys\[0\]: a pattern that anyone can guess/.test(notice))).toHaveLength(1)
  })

  it.each(['a'.repeat(32), 'test'.repeat(8)])('of operators are told of where they are a pattern: %s', (TOKEN) => {
    const { notices } = load({ ...smallest, admin: { port: 1, token: { env: 'TOKEN' } } }, { TOKEN })
    expect(notices.filter((notice) => /^admin\.token: a pattern that anyone can guess/.test(notice))).toHaveLength(1)
  })

  it('that are random, or absent, are told of nowhere', () => {
    const env = { KEY: Buffer.from('3q2-7wABAgMEBQYHCAkKCwwN4f9xyz0123456789abc', 'base64url').toString('base64') }
    const { notices } = load({ ...smallest, encryption_keys: [{ env: 'KEY' }] }, env)
    expect(notices.join()).not.toContain('can guess')
    expect(load({ ...smallest }, {}).notices.join()).not.toContain('can guess')
  })

  it.each([
    [{ env: 'UNSET' }, /session_key\.env: .*"UNSET" is not set/],
    [{ env: 'BLANK' }, /session_key\.env: .*"BLANK" is empty/],
    [{ file: 'missing' }, /session_key\.file: .*no such file/],
    [{ file: 'blank' }, /session_key\.file: .*is empty/],
    [{ file: 'folder' }, /session_key\.file: .*directory/],
    [{ env: 'SHORT' }, /session_key: .*32 bytes/],
    [{}, /session_key: .*either/],
  ])('that cannot be had stop the start: %j', (reference, expected) => {
    write('blank', '\n')
    mkdirSync(join(directory, 'folder'), { recursive: true })
    expect(reasonsOf({ ...smallest, session_key: reference }, { BLANK: ' ', SHORT: 'hunter2' })).toEqual([
      expect.stringMatching(expected),
    ])
  })

  it.each([
    [{ env: 'hunter2 is my secret' }, 'session_key.env'],
    [{ env: 'sk-hunter2' }, 'session_key.env'],
    [{ file: '-----BEGIN PRIVATE KEY-----\nhunter2' }, 'session_key.file'],
    [{ file: `hunter2${'x'.repeat(5000)}` }, 'session_key.file'],
  ])('that were written where their names belong are not repeated: %j', (reference, path) => {
    const [reason, ...others] = reasonsOf({ ...smallest, session_key: reference })
    expect(reason).toMatch(new RegExp(`^${path}: is not the name`))
    expect([reason, others]).toEqual([expect.not.stringContaining('hunter2'), []])
  })

  it.skipIf(process.getuid?.() === 0)('in files that may not be read stop the start', () => {
    const reference = write('forbidden', 'x'.repeat(40))
    chmodSync(join(directory, 'forbidden'), 0)
    expect(reasonsOf({ ...smallest, session_key: reference })).toEqual([expect.stringMatching(/permission denied/)])
  })

  it('that no header can carry are named by place, not by value', () => {
    const upstream = { url: 'http://localhost', headers: { 'X-Api-Key': { env: 'KEY' } } }
    const reasons = reasonsOf({ ...smallest, servers: [{ path: '/mcp', upstream }] }, { KEY: 'hunter2\nX-Other: 1' })
    expect(reasons).toEqual([expect.stringMatching(/headers\.X-Api-Key: .*no header/)])
    expect(reasons.join()).not.toContain('hunter2')
  })
})

describe('TLS files', () => {
  const listen = { tls: { cert_file: 'cert.pem', key_file: 'key.pem' } }

  it('are read', () => {
    const { cert, key } = createCertificate()
    write('cert.pem', cert)
    write('key.pem', key)
    expect(load({ ...smallest, listen })).toMatchObject({ publicUrl: 'https://localhost:8080', listen: { tls: { cert, key } } })
  })

  it('must belong together', () => {
    write('cert.pem', createCertificate().cert)
    write('key.pem', createCertificate().key)
    expect(reasonsOf({ ...smallest, listen })).toEqual([expect.stringMatching(/^listen\.tls: .*cannot be used together/)])
  })

  it('of authorities must hold certificates', () => {
    write('empty-ca.pem', 'no certificate')
    write('broken-ca.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const value = {
      issuers: [{ issuer: 'https://idp.example.com', ca_file: 'empty-ca.pem' }],
      servers: [{ path: '/mcp', upstream: { url: 'https://localhost', ca_file: 'broken-ca.pem' } }],
    }
    expect(reasonsOf(value)).toEqual([
      expect.stringMatching(/^issuers\[0\]\.ca_file: .*PEM/),
      expect.stringMatching(/^servers\[0\]\.upstream\.ca_file: .*PEM/),
    ])
  })

  it('of authorities reach the plan', () => {
    const { cert } = createCertificate()
    write('ca.pem', cert)
    const plan = load({
      issuers: [{ issuer: 'https://idp.example.com', ca_file: 'ca.pem' }],
      servers: [{ path: '/mcp', upstream: { url: 'https://localhost', ca_file: 'ca.pem' } }],
    })
    expect(plan.servers[0]?.issuers[0]?.ca).toBe(cert)
    expect(plan.servers[0]?.endpoints[0]?.upstream).toHaveProperty('ca', cert)
  })
})

describe('introspection', () => {
  const introspect = (introspection: object) => ({ ...smallest, issuers: [{ issuer: 'https://idp.example.com', introspection }] })

  it('authenticates by a client secret', () => {
    const plan = load(introspect({ client_id: 'proxy', client_secret: { env: 'S' } }), { S: 'abc' })
    expect(plan.servers[0]?.issuers[0]?.introspection).toEqual({
      endpoint: undefined,
      clientId: 'proxy',
      clientAuthentication: { method: 'client_secret_basic', secret: 'abc' },
      cacheSeconds: 60,
      negativeCacheSeconds: 10,
    })
  })

  it('authenticates by a private key, which also says the algorithm', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = write('key.json', JSON.stringify(privateKey.export({ format: 'jwk' })))
    const plan = load(
      introspect({ client_id: 'proxy', client_authentication: 'private_key_jwt', private_key: jwk, key_id: 'k1' }),
    )
    expect(plan.servers[0]?.issuers[0]?.introspection?.clientAuthentication).toEqual({
      method: 'private_key_jwt',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      algorithm: 'ES256',
      keyId: 'k1',
    })
  })

  it('refuses a key that does not fit the algorithm, and what is no key', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const fitting = { client_id: 'x', client_authentication: 'private_key_jwt', private_key: { env: 'K' } }
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(reasonsOf(introspect({ ...fitting, algorithm: 'RS256' }), { K: pem })).toEqual([
      expect.stringMatching(/algorithm: RS256 does not fit/),
    ])
    expect(reasonsOf(introspect(fitting), { K: 'hunter2' })).toEqual([expect.stringMatching(/private_key: is not a private key/)])
  })

  it('refuses what the chosen method has no use for', () => {
    const value = introspect({
      client_id: 'x',
      client_secret: { env: 'S' },
      private_key: { env: 'S' },
      algorithm: 'ES256',
      key_id: 'a',
    })
    expect(reasonsOf(value, { S: 'x' }).filter((reason) => reason.includes('has no use'))).toHaveLength(3)
  })
})

describe('public keys of a client', () => {
  const load = (text: string) =>
    reasonsOf({
      identity_provider: { issuer: 'https://idp.example.com', client_id: 'x', client_authentication: 'none' },
      broker: {
        store: { kind: 'memory' },
        clients: [{ client_id: 'm', public_keys_file: write('client-keys', text).file, grants: ['client_credentials'] }],
      },
      servers: smallest.servers,
    })
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const jwk = publicKey.export({ format: 'jwk' })

  it.each([
    ['a JWK set', JSON.stringify({ keys: [{ ...jwk, kid: 'a', use: 'sig' }] })],
    ['a JWK', JSON.stringify(jwk)],
    ['PEM', publicKey.export({ type: 'spki', format: 'pem' }).toString()],
  ])('are read from %s', (_name, text) => {
    expect(load(text)).toEqual([])
  })

  it.each([
    ['a private JWK', JSON.stringify(privateKey.export({ format: 'jwk' }))],
    ['a private key among public ones', JSON.stringify({ keys: [jwk, privateKey.export({ format: 'jwk' })] })],
    ['a private key as PEM', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['a shared secret', JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })],
    ['a short key', short.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['no keys', JSON.stringify({ keys: [] })],
    ['something else', 'hello'],
  ])('are not %s, and the file is not quoted', (_name, text) => {
    const reasons = load(text)
    expect(reasons).toEqual(['broker.clients[0].public_keys_file: holds something else than public keys that can be used'])
  })
})
