import type { Broker } from '../broker/broker.ts'
import { LOGOUT_PATH } from '../core/broker-paths.ts'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { Plan } from '../core/plan/plan.ts'
import { createIssuerPool } from '../oauth/issuer.ts'
import { createLogoutEndpoint } from '../revocation/logout-endpoint.ts'
import type { Logout, LogoutIssuer } from '../revocation/logout-token.ts'
import { endLoggedOut } from './end-logged-out.ts'
import type { Foundation } from './foundation.ts'

/** Where issuers tell of users who logged out; has no path where none is configured to. */
export interface MountedLogout {
  readonly handlers: Iterable<readonly [string, EndpointHandler]>
  close(): Promise<void>
}

export function mountLogout(plan: Plan, broker: Broker | undefined, foundation: Foundation): MountedLogout {
  const { log, store, clock } = foundation
  // Its own: keys of an identity provider are fetched with its first logout, and say nothing of whether this process is ready.
  const pool = createIssuerPool({ clock, onIssue: (message) => log.logger.warn(message) })
  const issuers = listLogoutIssuers(plan).map(
    ({ plan: issuer, clientIds }): LogoutIssuer => ({ plan: issuer, clientIds, keys: pool.find(issuer).keys }),
  )
  const onLogout = (logout: Logout) => endLoggedOut(logout, plan, broker?.register, foundation)
  const handle = createLogoutEndpoint({ issuers, store, clock, onLogout })
  return { handlers: issuers.length === 0 ? [] : [[LOGOUT_PATH, handle]], close: () => pool.close() }
}

/** Each issuer once, with the client ids of all servers: they sign users in through different ones. */
function listLogoutIssuers({ servers, broker }: Plan): Pick<LogoutIssuer, 'plan' | 'clientIds'>[] {
  const own = broker?.logoutIssuer && { plan: broker.logoutIssuer, clientIds: [broker.identityProvider.clientId] }
  const others = servers
    .flatMap(({ issuers }) => issuers)
    .flatMap((plan) => (plan.logoutClientIds === undefined ? [] : [{ plan, clientIds: plan.logoutClientIds }]))
  const byIssuer = Map.groupBy([...(own ? [own] : []), ...others], ({ plan }) => plan.issuer)
  return [...byIssuer.values()].flatMap((same) =>
    same.slice(0, 1).map(({ plan }) => ({ plan, clientIds: same.flatMap(({ clientIds }) => clientIds) })),
  )
}
