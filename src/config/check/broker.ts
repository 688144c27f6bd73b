import { BROKER_PATHS } from '../../core/broker-paths.ts'
import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { isLoopback } from '../format/formats.ts'
import { decodeEncryptionKey } from '../format/key-material.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { BrokerConfig } from '../schema/broker.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'
import { checkClients } from './clients.ts'
import { checkIdentityProvider } from './identity-provider.ts'

/** Checks that the broker has what it needs, and that nothing stands in its way. */
export function checkBroker(context: CheckContext): void {
  const { config, isBroken, report } = context
  const { identity_provider: provider, broker } = config
  checkCredentials(context)
  if (provider === undefined && broker !== undefined && !isBroken(['identity_provider'])) {
    report(['identity_provider'], {
      reason: 'is missing; `broker` needs it',
      fix: 'Add the identity provider that users sign in with, or remove `broker`.',
    })
  }
  if (provider === undefined) return
  checkPublicUrl(context)
  checkIdentityProvider(provider, context)
  checkStore(broker, context)
  checkKeys(broker, context)
  checkClients(context)
  checkPaths(context)
}

/** The token of the identity provider is there for callers whom the broker knows, and goes where a header can go. */
function checkCredentials({ config, isBroken, report }: CheckContext): void {
  for (const [index, server] of entriesOf(config.servers)) {
    if (server.credential !== 'identity_provider_token') continue
    const at: ConfigPath = ['servers', index, 'credential']
    const hasBroker = config.identity_provider !== undefined || isBroken(['identity_provider'])
    if (!hasBroker || server.issuers !== undefined || (config.issuers ?? []).length > 0) {
      report(at, {
        reason: 'needs an `identity_provider`, and no other `issuers`: their users have no token there',
        fix: 'Add `identity_provider` and remove `issuers`, or write `credential: none`.',
      })
    }
    if (server.forward_access_token === true) {
      report(at, { reason: 'excludes `forward_access_token`: both are the Authorization header', fix: 'Remove one of the two.' })
    }
  }
}

function checkPublicUrl({ config, report }: CheckContext): void {
  const { public_url: url } = config
  if (url === undefined || !URL.canParse(url)) return
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || isLoopback(hostname)) return
  report(['public_url'], {
    reason: 'uses http, and with `identity_provider` users sign in and tokens are issued there',
    fix: 'Use https: with `listen.tls`, or behind a load balancer that ends TLS.',
  })
}

/** Keys that belong to one kind of store. */
const KIND_OF_KEY = { path: 'sqlite', url: 'redis', password: 'redis', prefix: 'redis' } as const

function checkStore(broker: PartialConfig<BrokerConfig> | undefined, { isBroken, report }: CheckContext): void {
  const at = ['broker', 'store']
  const { store } = broker ?? {}
  if (store?.kind === undefined) return
  for (const [key, kind] of Object.entries(KIND_OF_KEY)) {
    if (store[key as keyof typeof KIND_OF_KEY] === undefined || kind === store.kind) continue
    report([...at, key], { reason: `has no use with \`kind: ${store.kind}\``, fix: `Remove it, or write \`kind: ${kind}\`.` })
  }
  if (store.kind === 'redis' && store.url === undefined && !isBroken([...at, 'url'])) {
    report([...at, 'url'], { reason: 'is missing; `kind: redis` needs it', fix: 'Write it like redis://127.0.0.1:6379.' })
  }
}

const MAKE_KEY = 'Make one with `openssl rand -base64 32`.'

function checkKeys(broker: PartialConfig<BrokerConfig> | undefined, { isBroken, secretsAndFiles, report }: CheckContext): void {
  const at = ['broker', 'encryption_keys']
  const keys = entriesOf(broker?.encryption_keys)
  if (keys.length === 0 && broker?.store?.kind !== 'memory' && !isBroken(at)) {
    report(at, {
      reason: 'is missing; users and keys in the store are encrypted',
      fix: `List a key as { env: NAME } or { file: path }. ${MAKE_KEY}`,
    })
  }
  for (const [index, reference] of keys) {
    const text = secretsAndFiles.findSecret(reference)
    if (text === undefined || decodeEncryptionKey(text)) continue
    report([...at, index], { reason: 'is not Base64 of 32 bytes', fix: MAKE_KEY })
  }
}

function checkPaths({ config, report }: CheckContext): void {
  const { provider, signIn, callback } = BROKER_PATHS
  const taken = [...Object.values(provider), signIn, callback]
  for (const [index, server] of entriesOf(config.servers)) {
    for (const { path, at } of listEndpoints(server)) {
      const owner = taken.find((own) => path === own || path.startsWith(`${own}/`))
      if (owner === undefined) continue
      report(['servers', index, ...at], {
        reason: `is a path that the proxy uses to sign users in (${owner})`,
        fix: 'Choose another path, for example /mcp.',
      })
    }
  }
}
