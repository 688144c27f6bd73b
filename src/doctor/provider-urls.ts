import { createIdentityProvider } from '../broker/identity-provider/identity-provider.ts'
import { createReservedUrls, type ReservedUrls } from '../broker/upstream-accounts/reserved-urls.ts'
import { BROKER_PATHS } from '../core/broker-paths.ts'
import { systemClock } from '../core/clock.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import { createIssuerFetch } from '../oauth/safe-fetch.ts'

/** As long as the doctor waits for any answer. */
const TIMEOUT_SECONDS = 5

/** Endpoints of the identity provider, read by the code of the broker: what that would refuse must not be found fine here. */
export interface ProviderUrls {
  readonly reserved: ReservedUrls
  close(): Promise<void>
}

export function openProviderUrls({ identityProvider, issuer }: BrokerPlan): ProviderUrls {
  const plan = { ...identityProvider, timeoutSeconds: TIMEOUT_SECONDS }
  const { asgardeo } = plan
  const outboundFetch = createIssuerFetch({ ...plan, hidesPaths: asgardeo !== undefined })
  const provider = createIdentityProvider({ plan, redirectUri: `${issuer}${BROKER_PATHS.callback}`, outboundFetch })
  // Asgardeo has an application for each client, all of them at its own address.
  const list = () => (asgardeo === undefined ? provider.listEndpoints() : Promise.resolve([asgardeo.base]))
  return { reserved: createReservedUrls(list, systemClock), close: () => outboundFetch.close() }
}
