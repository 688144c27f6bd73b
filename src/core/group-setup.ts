import type { BrokerPlan } from './plan/broker-plan.ts'
import type { GroupsPlan } from './plan/issuer-plan.ts'
import type { ServerPlan } from './plan/server-plan.ts'

/** Groups that arrive only once something is set up, or never. */
export interface GroupSetup {
  /** Who names the groups: an issuer. */
  readonly issuer: string
  /** What to do, for the operator. */
  readonly setup: string
  /** Whether no group is known until then. */
  readonly isUnknown: boolean
}

/** Finds whose groups a server decides by without any that are sure to arrive. */
export function findGroupSetups({ policy, issuers }: ServerPlan, broker: BrokerPlan | undefined): readonly GroupSetup[] {
  if (policy.readsGroups !== true) return []
  return issuers.flatMap(({ issuer, groups }) =>
    describe(issuer === broker?.issuer ? broker.identityProvider.issuer : issuer, groups),
  )
}

function describe(issuer: string, { claim, setup }: GroupsPlan): GroupSetup[] {
  return setup === undefined ? [] : [{ issuer, setup, isUnknown: claim === undefined }]
}
