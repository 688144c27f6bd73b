import { isDeepStrictEqual } from 'node:util'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { Plan } from '../core/plan/plan.ts'

/** What a reload can put into force. All else needs a restart, also what is not known here. */
const RELOADABLE: ReadonlySet<string> = new Set<keyof Plan>([
  'publicUrl',
  'allowedHosts',
  'cors',
  'limits',
  'trustedProxies',
  'shutdownDelaySeconds',
  'drainSeconds',
  'egress',
  'servers',
  'accessKeys',
  'rewrite',
  'notices',
  // Looked at by itself.
  'listen',
  'log',
  'sessionKey',
  'hasLastingSessionKey',
  'broker',
])

/** @returns the settings that differ and need a restart, as the configuration file names them */
export function findRestartNeeds(before: Plan, after: Plan): string[] {
  return [
    ...findListenNeeds(before, after),
    ...findKeyNeeds(before, after),
    ...(before.log.format === after.log.format ? [] : ['log.format']),
    ...findBrokerNeeds(before.broker, after.broker),
    ...listDifferent(before, after)
      .filter((name) => !RELOADABLE.has(name))
      .map(nameSetting),
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

/** Names of the members that differ. */
export function listDifferent<T extends object>(before: T, after: T): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof T & string>
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]))
}

const NAMES: Readonly<Record<string, string>> = {
  storeKeys: 'encryption_keys',
  egress: 'egress_proxy',
  accessKeys: 'keys',
  acceptsStoredKeys: 'stored_keys',
  shutdownDelaySeconds: 'shutdown.delay_seconds',
  drainSeconds: 'shutdown.drain_seconds',
}

/** As the configuration file names it. */
export function nameSetting(member: string): string {
  return NAMES[member] ?? member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
