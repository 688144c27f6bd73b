import type { Broker } from '../broker/broker.ts'
import { LOGOUT_PATH } from '../core/broker-paths.ts'
import { DENIED_SECONDS, type Denial, secondAfter } from '../core/deny-list.ts'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import { createIssuerPool } from '../oauth/issuer.ts'
import { createLogoutEndpoint } from '../revocation/logout-endpoint.ts'
import type { Logout, LogoutIssuer } from '../revocation/logout-token.ts'
import { describeDenial } from './admin-actions.ts'
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
  const onLogout = (logout: Logout) => endUser(logout, plan, broker, foundation)
  const handle = createLogoutEndpoint({ issuers, store, clock, onLogout })
  return { handlers: issuers.length === 0 ? [] : [[LOGOUT_PATH, handle]], close: () => pool.close() }
}

function listLogoutIssuers({ servers, broker }: Plan): Pick<LogoutIssuer, 'plan' | 'clientIds'>[] {
  const own =
    broker && broker.logoutIssuer !== undefined
      ? [{ plan: broker.logoutIssuer, clientIds: [broker.identityProvider.clientId] }]
      : []
  const plans = new Map(servers.flatMap(({ issuers }) => issuers).map((issuer) => [issuer.issuer, issuer]))
  const others = [...plans.values()].flatMap((issuer) =>
    issuer.logoutClientIds === undefined ? [] : [{ plan: issuer, clientIds: issuer.logoutClientIds }],
  )
  return [...own, ...others.filter(({ plan }) => plan.issuer !== broker?.logoutIssuer?.issuer)]
}

/**
 * Tokens that were issued until now are refused, and those of the session for good. At the broker everything of the user ends: its grants do
 * not say with which session of the identity provider they began.
 */
async function endUser(logout: Logout, plan: Plan, broker: Broker | undefined, foundation: Foundation): Promise<void> {
  const { denied, clock, onEvent } = foundation
  const denials = planDenials(logout, plan, clock.wall())
  if (denials.length > 0) await denied.add(denials)
  for (const denial of denials) onEvent(describeDenial(denial))
  if (broker === undefined || plan.broker?.logoutIssuer?.issuer !== logout.issuer) return
  const subjects = logout.subject === undefined ? await broker.register.findBySession(logout.sid ?? '') : [logout.subject]
  const ended = subjects.map((subject) => createDenial('user', plan.broker as BrokerPlan, subject, clock.wall()))
  if (ended.length > 0) await denied.add(ended)
  for (const subject of subjects) await broker.register.endSignIn(subject)
}

function createDenial(kind: 'user', { issuer, accessTokenSeconds }: BrokerPlan, value: string, now: number): Denial {
  return { kind, issuer, value, issuedBefore: secondAfter(now), expiresAt: now + (accessTokenSeconds + 60) * 1000 }
}

/** For tokens of the issuer itself, where servers accept them. */
function planDenials({ issuer, subject, sid }: Logout, { servers }: Plan, now: number): readonly Denial[] {
  const accepted = servers.flatMap(({ issuers }) => issuers).find((one) => one.issuer === issuer)
  if (accepted === undefined) return []
  const expiresAt = now + (accepted.maxLifetimeSeconds ?? DENIED_SECONDS) * 1000
  const denials: readonly (Denial | false)[] = [
    subject !== undefined && { kind: 'user', issuer, value: subject, issuedBefore: secondAfter(now), expiresAt },
    sid !== undefined && { kind: 'session', issuer, value: sid, issuedBefore: undefined, expiresAt },
  ]
  return denials.filter((denial) => denial !== false)
}
