import { type AssertionKeys, createConfiguredKeys } from '../assertion/assertion-keys.ts'
import { createCallerIdentity, createProcessIdentity } from '../assertion/caller-identity.ts'
import { createKeyEndpoint } from '../assertion/key-endpoint.ts'
import { IDENTITY_KEYS_PATH } from '../core/broker-paths.ts'
import type { CallerIdentity } from '../core/caller-identity.ts'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { UpstreamPlan } from '../core/plan/upstream-plan.ts'
import type { Foundation } from './foundation.ts'

/** Tells upstreams who calls; has no path where nothing is signed. */
export interface MountedIdentity {
  readonly handlers: Iterable<readonly [string, EndpointHandler]>
  /** What tells an upstream of a server; undefined where it is not told. */
  find(server: ServerPlan, upstream: UpstreamPlan): CallerIdentity | undefined
}

export async function mountIdentity(plan: Plan, foundation: Foundation): Promise<MountedIdentity> {
  const keys = new Map<string, AssertionKeys>()
  for (const { name, identity } of plan.servers) {
    if (identity?.assertion === undefined) continue
    const { keys: own } = identity.assertion
    keys.set(name, own === undefined ? await foundation.identityKeys.open() : createConfiguredKeys(own))
  }
  return {
    handlers: keys.size === 0 ? [] : [[IDENTITY_KEYS_PATH, createKeyEndpoint([...keys.values()])]],
    find({ name, identity }, upstream) {
      if (identity === undefined) return undefined
      const { metaClaims: claims, variables } = identity
      if (upstream.kind === 'stdio') return claims && createProcessIdentity({ claims, variables }, plan.publicUrl)
      return createCallerIdentity({
        plan: identity,
        issuer: plan.publicUrl,
        upstreamUrl: upstream.url,
        keys: keys.get(name),
        clock: foundation.clock,
      })
    },
  }
}
