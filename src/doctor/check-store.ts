import type { StorePlan } from '../core/plan/store-plan.ts'
import { type Finding, type Findings, findingsAbout } from './finding.ts'
import { probeStore, type StoreProbe } from './probe-store.ts'

/** Milliseconds: a sign-in asks the store some ten times, and a call with a token of the broker once in five seconds. */
const SLOW_MS = 20
/** Whose scripts and ACL rules the store needs. */
const MIN_REDIS = 7

/** Whether the store can be used as the proxy will use it. Nothing where state is kept in memory. */
export async function checkStore(plan: StorePlan): Promise<Finding[]> {
  if (plan.kind === 'memory') return []
  return describeStore(await probeStore(plan), plan, findingsAbout(`store (${plan.kind})`))
}

type NamedPlan = Exclude<StorePlan, { readonly kind: 'memory' }>

function describeStore(probe: StoreProbe, plan: NamedPlan, about: Findings): Finding[] {
  switch (probe.kind) {
    case 'failed':
      return [about.problem('store_unusable', `It cannot be used: ${probe.cause}`, adviseOn(plan))]
    case 'absent':
      return [about.ok('store_absent', 'Its file is not there yet. The first start makes it.')]
    case 'usable':
      return [...describeUse(probe, about), ...describeVersion(probe, about)]
  }
}

function adviseOn(plan: NamedPlan): string {
  return plan.kind === 'redis'
    ? 'Correct what the message names. docs/redis.md has the settings, and a rule for an ACL user. Without its store the proxy does not start.'
    : `Let the user that the proxy runs as write ${plan.file} and its folder. Without its store the proxy does not start.`
}

type Usable = Extract<StoreProbe, { readonly kind: 'usable' }>

function describeUse({ server, answerMs }: Usable, about: Findings): Finding[] {
  const name = server === undefined ? '' : ` (${server.name} ${server.version})`
  const took = answerMs < 1 ? 'less than 1 ms' : `${Math.round(answerMs)} ms`
  const says = `It can be read and written${name}. An answer takes ${took}.`
  if (answerMs < SLOW_MS) return [about.ok('store', says)]
  const fix = 'Run the store near the proxy, in the same data center: sign-ins wait for some ten answers.'
  return [about.warning('store_slow', says, fix)]
}

function describeVersion({ server }: Usable, about: Findings): Finding[] {
  if (server?.name !== 'redis' || Number.parseInt(server.version, 10) >= MIN_REDIS) return []
  const says = `It is Redis ${server.version}. The proxy is tested with Redis ${MIN_REDIS} and later, and with Valkey.`
  return [about.warning('store_version', says, `Upgrade to Redis ${MIN_REDIS} or later.`)]
}
