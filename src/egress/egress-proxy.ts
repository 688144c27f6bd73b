import { isLoopbackHost } from '../core/addresses.ts'
import type { EgressPlan, EgressProxyPlan } from '../core/plan/egress-plan.ts'
import { createHostMatcher, type Destination, normalizeHost } from './match-host.ts'

/** Which way leads to a destination. */
export type FindEgressProxy = (to: Destination) => EgressProxyPlan | undefined

/** Systems take these for this machine, too. */
const UNSPECIFIED: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/**
 * Decides which destinations are reached through an egress proxy. This machine never is: there, `localhost` would be the machine of the
 * egress proxy.
 */
export function createEgressProxyFinder(plan: EgressPlan): FindEgressProxy {
  const isDirect = createHostMatcher(plan.direct)
  return (to) => {
    const proxy = to.protocol === 'https:' ? plan.https : plan.http
    if (proxy === undefined || isThisMachine(to.hostname) || isDirect(to)) return undefined
    return proxy
  }
}

function isThisMachine(hostname: string): boolean {
  const host = normalizeHost(hostname)
  return isLoopbackHost(host) || UNSPECIFIED.has(host)
}
