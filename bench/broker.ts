import { randomBytes } from 'node:crypto'
import type * as App from '../src/app.ts'
import type * as Load from '../src/config/load.ts'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../test/support/broker-stage.ts'
import { serveProbe } from './probe.ts'

/** The proxy as an authorization server: the built one, with its log on standard output. The first argument is a {@link BrokerArgument}. */

export interface BrokerArgument {
  readonly port: number
  readonly identityProvider: string
  readonly upstream: string
  readonly store: NonNullable<ConfigInput['store']>
}

const { port, identityProvider, upstream, store } = JSON.parse(process.argv[2] ?? '') as BrokerArgument
const config: ConfigInput = {
  public_url: `http://localhost:${port}`,
  listen: { port },
  identity_provider: {
    issuer: identityProvider,
    name: 'Example ID',
    client_id: BROKER_CLIENT_ID,
    client_secret: { env: 'SECRET' },
    scopes: ['openid', 'profile', 'email', 'groups'],
  },
  // All clients have one address here.
  broker: {
    registration: { per_minute: 10_000 },
    authorizations_per_minute: 100_000,
    token_requests_per_minute: 1_000_000,
    encryption_keys: [{ env: 'KEY' }],
  },
  store,
  servers: [{ name: 'example', path: '/mcp', upstream, scopes: ['mcp:tools'] }],
  log: { format: 'json' },
}
const env = { SECRET: BROKER_CLIENT_SECRET, KEY: randomBytes(32).toString('base64url') }
const { loadConfigValue } = (await import(new URL('../dist/config/load.js', import.meta.url).href)) as typeof Load
const { startProxy } = (await import(new URL('../dist/app.js', import.meta.url).href)) as typeof App
await startProxy(loadConfigValue(config, { env, directory: import.meta.dirname, terminal: false }).plan, { ownsProcess: true })
serveProbe(port)
