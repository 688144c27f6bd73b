import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { type BrokerStage, type BrokerStageOptions, startBrokerStage } from './broker-stage.ts'
import { startIssuer, type TestIssuer } from './tokens.ts'

/** A broker with clients that are machines, an issuer of identity assertions, and one whose access tokens can be exchanged. */
export interface MachineStage extends BrokerStage {
  readonly assertionIssuer: TestIssuer
  readonly tokenIssuer: TestIssuer
  /** Private key of the client `signer`, PKCS #8. */
  readonly signerKey: string
  /** Its public key, as the broker has it. */
  readonly signerPublicKey: string
  /** Mints an ID-JAG for the client `agent`; `undefined` leaves a member out. */
  mintAssertion(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  /** Sends a token request. */
  request(form: Readonly<Record<string, string | readonly string[] | undefined>>, client?: string): Promise<Response>
}

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** Secrets of the clients, by client id. */
export const MACHINE_SECRETS: Readonly<Record<string, string>> = {
  job: 'secret-of-the-nightly-job-0123456789',
  admin: 'secret-of-the-administrator-0123456789',
  agent: 'secret-of-the-agent-0123456789',
  gateway: 'secret-of-the-gateway-0123456789',
  web: 'secret-of-the-web-application-0123456789',
}

const TWO_SERVERS = (upstream: string) => [
  { name: 'example', path: '/mcp', upstream, scopes: ['mcp:tools'], rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }] },
  { name: 'other', path: '/other', upstream, scopes: ['mcp:tools'] },
]

export async function startMachineStage(options: BrokerStageOptions = {}): Promise<MachineStage> {
  const folder = mkdtempSync(join(tmpdir(), 'machines-'))
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'signer-1' }
  writeFileSync(join(folder, 'signer.json'), JSON.stringify({ keys: [publicJwk] }))
  const [assertionIssuer, tokenIssuer] = await Promise.all([startIssuer(), startIssuer({ algorithm: 'ES256' })])
  const stage = await startBrokerStage({
    servers: TWO_SERVERS,
    ...options,
    env: Object.fromEntries(Object.entries(MACHINE_SECRETS).map(([id, value]) => [id.toUpperCase(), value])),
    broker: {
      clients: [
        { client_id: 'job', client_secret: { env: 'JOB' }, grants: ['client_credentials'], servers: ['example'] },
        {
          client_id: 'admin',
          client_secret: { env: 'ADMIN' },
          grants: ['client_credentials'],
          scopes: ['mcp:tools', 'mcp:admin'],
        },
        { client_id: 'signer', public_keys_file: join(folder, 'signer.json'), grants: ['client_credentials'] },
        { client_id: 'published', jwks_uri: tokenIssuer.jwksUri, grants: ['client_credentials'] },
        { client_id: 'agent', client_secret: { env: 'AGENT' }, grants: ['jwt_bearer'], scopes: ['mcp:tools'] },
        { client_id: 'gateway', client_secret: { env: 'GATEWAY' }, grants: ['token_exchange'] },
        {
          client_id: 'web',
          client_secret: { env: 'WEB' },
          redirect_uris: ['https://client.example/cb'],
          scopes: ['mcp:tools'],
          servers: ['example'],
        },
        { client_id: 'public', redirect_uris: ['https://client.example/cb'] },
      ],
      identity_assertions: { issuers: [assertionIssuer.issuer] },
      token_exchange: { issuers: [tokenIssuer.issuer] },
      ...options.broker,
    },
  })
  const { origin } = stage.proxy
  return {
    ...stage,
    assertionIssuer,
    tokenIssuer,
    signerKey: await exportPKCS8(privateKey),
    signerPublicKey: JSON.stringify(publicJwk),
    mintAssertion(claims, header) {
      const now = Math.floor(Date.now() / 1000)
      const usual = { aud: origin, client_id: 'agent', resource: `${origin}/mcp`, exp: now + 300, email: 'alice@example.com' }
      return assertionIssuer.mint({ claims: { ...usual, ...claims }, header: { typ: 'oauth-id-jag+jwt', ...header } })
    },
    request: (form, client) => sendTokenRequest(origin, form, client),
    async close() {
      await stage.close()
      await Promise.all([assertionIssuer.close(), tokenIssuer.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function sendTokenRequest(
  origin: string,
  form: Readonly<Record<string, string | readonly string[] | undefined>>,
  client?: string,
): Promise<Response> {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(form))
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) body.append(name, one)
  const secret = client === undefined ? undefined : MACHINE_SECRETS[client]
  const basic = Buffer.from(`${client}:${secret}`).toString('base64')
  const headers: Record<string, string> = secret === undefined ? {} : { authorization: `Basic ${basic}` }
  return fetch(`${origin}/token`, { method: 'POST', body, headers })
}
