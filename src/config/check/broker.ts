import { BROKER_PATHS, LOGOUT_PATH } from '../../core/broker-paths.ts'
import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { isLoopback } from '../format/formats.ts'
import { OWN_ACCOUNT } from '../schema/credential.ts'
import type { CheckContext } from './check-context.ts'
import { checkClients } from './clients.ts'
import { checkIdentityProvider } from './identity-provider.ts'

/** Checks that the broker has what it needs, and that nothing stands in its way. */
export function checkBroker(context: CheckContext): void {
  const { config, isBroken, report } = context
  const { identity_provider: provider, broker } = config
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
  const { provider, signIn, callback, connections } = BROKER_PATHS
  const hasAccounts = entriesOf(config.servers).some(([, { credential }]) => credential?.kind === OWN_ACCOUNT)
  const taken = [...Object.values(provider), signIn, callback, LOGOUT_PATH, ...(hasAccounts ? [connections.list] : [])]
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
