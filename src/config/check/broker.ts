import { BROKER_PATHS, LOGOUT_PATH } from '../../core/broker-paths.ts'
import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { isLoopback } from '../format/formats.ts'
import type { ConfigPath } from '../problem/problem.ts'
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

function checkPaths({ config, report }: CheckContext): void {
  const { provider, signIn, callback } = BROKER_PATHS
  const taken = [...Object.values(provider), signIn, callback, LOGOUT_PATH]
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
