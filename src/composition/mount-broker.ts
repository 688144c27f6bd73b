import { isDeepStrictEqual } from 'node:util'
import type { Broker, BrokerOptions } from '../broker/broker.ts'
import type { DenyList } from '../core/deny-list.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import { createPolicy } from '../policy/policy.ts'
import { createDenyVerifier } from '../revocation/deny-verifier.ts'

/** Our own authorization server, and what of the plan it was made from. */
export interface MountedBroker {
  readonly broker: Broker
  readonly madeFrom: BrokerPart
}

/** What a broker works on, and whom it tells. */
type BrokerContext = Pick<BrokerOptions, 'store' | 'onIssue' | 'onEvent'> &
  Pick<BrokerPlan, 'encryptionKeys'> & { readonly denied: DenyList }

type BrokerPart = Pick<BrokerOptions, 'plan' | 'resources' | 'endpointPaths'>

/**
 * Takes over the broker of the plan before where nothing changed for it. What a new one needs to know is in the store, as for a replica.
 * Loaded lazily: not at all where users sign in elsewhere.
 */
export async function mountBroker(
  plan: Plan,
  { encryptionKeys, ...context }: BrokerContext,
  before: MountedBroker | undefined,
): Promise<MountedBroker | undefined> {
  if (plan.broker === undefined) return undefined
  const part = selectPart(plan.broker, plan.servers)
  if (isDeepStrictEqual(before?.madeFrom, part)) return before
  const { startBroker } = await import('../broker/broker.ts')
  const keyed = { ...part, plan: { ...part.plan, encryptionKeys } }
  const guardTokens = (verifier: TokenVerifier) => createDenyVerifier(verifier, context.denied)
  return { broker: await startBroker({ ...keyed, ...context, guardTokens }), madeFrom: part }
}

function selectPart(plan: BrokerPlan, servers: readonly ServerPlan[]): BrokerPart {
  const endpoints = servers.flatMap((server) => server.endpoints.map((endpoint) => ({ ...endpoint, server })))
  const resources = endpoints
    .filter(({ kind, server }) => kind !== 'messages' && server.issuers.some(({ issuer }) => issuer === plan.issuer))
    .map(({ resource, server }) => ({
      identifier: resource,
      name: server.name,
      scopes: createPolicy(server.policy).knownScopes,
      defaultScopes: server.scopesSupported,
      needsProviderToken: needsProviderToken(server),
      account: server.credential.kind === 'own_account' ? server.credential.account : undefined,
    }))
  return { plan, resources, endpointPaths: endpoints.map(({ path }) => path) }
}

/** What is exchanged for a user of the broker is what the identity provider issued. */
function needsProviderToken({ credential }: ServerPlan): boolean {
  return (
    credential.kind === 'identity_provider' ||
    (credential.kind === 'delegated' && credential.delegation.kind !== 'client_credentials')
  )
}
