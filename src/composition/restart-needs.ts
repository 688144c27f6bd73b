import { isDeepStrictEqual } from 'node:util'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import { listDifferent, listHandled, nameSetting } from './plan-members.ts'

/** @returns the settings that differ and need a restart, as the configuration file names them */
export function findRestartNeeds(before: Plan, after: Plan): string[] {
  return [
    ...findListenNeeds(before, after),
    ...findKeyNeeds(before, after),
    ...(before.log.format === after.log.format ? [] : ['log.format']),
    ...findBrokerNeeds(before.broker, after.broker),
    ...listHandled(before, after, 'restart').map(nameSetting),
  ]
}

/** A certificate can be renewed, but a listener speaks TLS or does not. */
function findListenNeeds({ listen: { tls: from, ...before } }: Plan, { listen: { tls: to, ...after } }: Plan): string[] {
  const different = listDifferent(before, after).map((name) => `listen.${nameSetting(name)}`)
  return (from === undefined) === (to === undefined) ? different : [...different, 'listen.tls']
}

/** One that is random at each start stays as it is. */
function findKeyNeeds(before: Plan, after: Plan): string[] {
  if (before.hasLastingSessionKey !== after.hasLastingSessionKey) return ['session_key']
  return after.hasLastingSessionKey && !before.sessionKey.equals(after.sessionKey) ? ['session_key'] : []
}

/** Users, their grants and all tokens hang on these. */
function findBrokerNeeds(before: BrokerPlan | undefined, after: BrokerPlan | undefined): string[] {
  if (before === undefined || after === undefined) return before === after ? [] : ['identity_provider']
  const { identityProvider: from } = before
  const { identityProvider: to } = after
  const needs: [string, unknown, unknown][] = [
    ['public_url', before.issuer, after.issuer],
    ['identity_provider.kind', from.kind, to.kind],
    ['identity_provider.issuer', from.issuer, to.issuer],
    ['identity_provider.subject_claim', from.oauth?.subjectClaim, to.oauth?.subjectClaim],
  ]
  return needs.filter(([, one, other]) => !isDeepStrictEqual(one, other)).map(([name]) => name)
}
