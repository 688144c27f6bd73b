import type { Clock } from '../../core/clock.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { TokenVerifier } from '../../core/ports.ts'
import { createIssuerPool, type IssuerPool } from '../../oauth/issuer.ts'
import type { SigningKeys } from '../../oauth/signing-keys.ts'
import { createTokenVerifier } from '../../oauth/token-verifier.ts'
import type { BrokerResource } from '../clients/resources.ts'

interface VerifierOptions {
  readonly plan: BrokerPlan
  readonly resources: readonly BrokerResource[]
  readonly clock: Clock
}

/** Verifies access tokens of ours, whatever resource they are for. */
export function createOwnVerifier(options: VerifierOptions & { readonly keys: SigningKeys }): TokenVerifier {
  const { plan, resources, keys, clock } = options
  return createTokenVerifier({
    issuers: [plan.issuerPlan],
    audiences: resources.map(({ identifier }) => identifier),
    pool: createIssuerPool({ clock, ownKeys: new Map([[plan.issuer, keys.verification]]) }),
    clock,
  })
}

/** Verifies access tokens that are to be exchanged: ours, and those of other issuers that are meant for us or for a server here. */
export function createSubjectVerifier(options: VerifierOptions & { readonly pool: IssuerPool }): TokenVerifier {
  const { plan, resources, pool, clock } = options
  return createTokenVerifier({
    issuers: [plan.issuerPlan, ...plan.tokenExchange.issuers],
    audiences: [plan.issuer, ...resources.map(({ identifier }) => identifier), ...plan.tokenExchange.audiences],
    pool,
    clock,
  })
}
