// What `init` writes for each vendor, against what the vendor documents: real clients sign in, and the doctor finds nothing wrong.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startMcpServer } from '../demo/mcp-server.ts'
import { createOAuthClient } from '../demo/oauth-client.ts'
import { loadConfigValue } from '../src/config/load.ts'
import { examine } from '../src/doctor/doctor.ts'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { type Profile, startProfile } from './support/identity-profiles/profile.ts'
import { VENDOR_CLIENT, type Vendor } from './support/identity-profiles/vendor.ts'
import { AUTH0, COGNITO, createOkta, ENTRA, ENTRA_TENANT, GITHUB, GOOGLE, KEYCLOAK } from './support/identity-profiles/vendors.ts'
import { startTestProxy } from './support/proxy.ts'
import { connectSdkClient } from './support/sdk-clients.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'init-providers-'))
const [alice] = SAMPLE_USERS
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Case {
  readonly vendor: Vendor
  /** The third answer. */
  readonly place: (profile: Profile) => string
  /** What has the configuration find the profile in the place of the vendor. */
  readonly move: (profile: Profile) => Record<string, unknown>
}

const here = ({ issuer }: Profile) => ({ issuer })

const CASES: Readonly<Record<string, Case>> = {
  google: { vendor: GOOGLE, place: () => 'example.com', move: here },
  github: { vendor: GITHUB, place: () => 'acme', move: ({ origin }) => ({ base_url: origin }) },
  entra: { vendor: ENTRA, place: () => ENTRA_TENANT, move: ({ origin }) => ({ base_url: origin }) },
  okta: { vendor: createOkta(), place: () => 'example.okta.com', move: (profile) => ({ domain: undefined, ...here(profile) }) },
  auth0: { vendor: AUTH0, place: () => 'example.eu.auth0.com', move: (profile) => ({ domain: undefined, ...here(profile) }) },
  keycloak: { vendor: KEYCLOAK, place: ({ issuer }) => issuer, move: () => ({}) },
  cognito: {
    vendor: COGNITO,
    place: () => 'eu-west-1_AbCdEf123',
    move: (profile) => ({ user_pool: undefined, ...here(profile) }),
  },
  oidc: { vendor: GOOGLE, place: ({ issuer }) => issuer, move: () => ({ client_authentication: 'client_secret_post' }) },
}

describe.each(Object.entries(CASES))('what init writes for %s', { timeout: 60_000 }, (kind, { vendor, place, move }) => {
  it('signs a real client in, and the doctor agrees', async () => {
    const [profile, mcpServer] = await Promise.all([startProfile(vendor), startMcpServer()])
    cleanups.push(profile.close, mcpServer.close)
    const file = join(folder, `${kind}.yaml`)
    const flags = [
      '--upstream',
      mcpServer.streamableHttpUrl,
      '--provider',
      kind,
      '--issuer',
      place(profile),
      '--client-id',
      VENDOR_CLIENT.id,
      '--public-url',
      'http://localhost:8080',
      '--scope',
      'mcp:tools',
      ...(kind === 'google' || kind === 'github' ? [] : ['--allow', 'everybody']),
    ]
    const { status, stderr } = spawnSync(process.execPath, [main, 'init', file, ...flags], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    // The vendors themselves may be out of reach, which it tells; nothing else is to be said.
    for (const line of stderr.match(/^(?:warning|notice|error)\b.*/gm) ?? []) expect(line).toMatch(/^warning: issuer/)

    const { public_url: _, listen: __, ...written } = parse(readFileSync(file, 'utf8'))
    const moved = JSON.parse(JSON.stringify({ ...written.identity_provider, ...move(profile) }))
    const config = { ...written, identity_provider: moved, broker: { ...written.broker, store: { kind: 'memory' } } }
    const env = {
      BROKER_KEY: Buffer.alloc(32, 'key of tests').toString('base64'),
      [`${kind.toUpperCase()}_CLIENT_SECRET`]: VENDOR_CLIENT.secret,
    }
    const proxy = await startTestProxy(config, env)
    cleanups.push(proxy.close)
    const oauth = createOAuthClient({ name: 'Client of init', redirectUri: 'http://127.0.0.1:1/callback' })
    const client = await connectSdkClient({
      generation: 'v2 legacy',
      transport: 'streamable',
      url: `${proxy.origin}/mcp`,
      oauth,
      user: alice,
    })
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()

    const broker = { ...config.broker, client_metadata: { enabled: false } }
    const whole = { ...config, broker, public_url: proxy.origin, listen: { port: proxy.port } }
    const { findings, clients } = await examine(
      loadConfigValue(whole, { env, directory: folder, terminal: false }).plan,
      oauth.tokens()?.access_token,
    )
    expect(findings.filter(({ verdict }) => verdict === 'problem')).toEqual([])
    expect(findings).toContainEqual(expect.objectContaining({ id: 'client', verdict: 'ok' }))
    expect(findings).toContainEqual(expect.objectContaining({ id: 'token', verdict: 'ok' }))
    expect(clients.find((one) => one.client === 'Claude Code')).toMatchObject({ verdict: 'connects' })
  })
})
