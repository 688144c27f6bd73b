import type { Broker } from '../broker/broker.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { OnEvent } from '../core/security-event.ts'
import type { Store } from '../core/store.ts'
import { createPolicy } from '../policy/policy.ts'

/** The broker, for as long as the process. */
export interface MountedBroker {
  readonly broker: Broker
  close(): Promise<void>
}

/** What the broker tells, and what it works on. */
interface BrokerHooks {
  readonly onIssue: (message: string) => void
  readonly onEvent: OnEvent
  readonly store: Store
}

/** Our own authorization server. Loaded lazily: not at all where users sign in elsewhere. */
export async function mountBroker(
  plan: BrokerPlan,
  servers: readonly ServerPlan[],
  { onIssue, onEvent, store }: BrokerHooks,
): Promise<MountedBroker> {
  const { startBroker } = await import('../broker/broker.ts')
  const endpoints = servers.flatMap((server) => server.endpoints.map((endpoint) => ({ ...endpoint, server })))
  const resources = endpoints
    .filter(({ kind, server }) => kind !== 'messages' && server.issuers.some(({ issuer }) => issuer === plan.issuer))
    .map(({ resource, server }) => ({
      identifier: resource,
      name: server.name,
      scopes: createPolicy(server.policy).knownScopes,
      defaultScopes: server.scopesSupported,
      needsProviderToken: server.credential.kind === 'identity_provider',
    }))
  const broker = await startBroker({ plan, resources, endpointPaths: endpoints.map(({ path }) => path), store, onIssue, onEvent })
  return {
    broker,
    close: () => broker.close(),
  }
}
