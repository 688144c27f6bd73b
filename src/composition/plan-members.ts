import { isDeepStrictEqual } from 'node:util'
import type { Plan } from '../core/plan/plan.ts'

/**
 * What becomes of a member of the plan that a reload finds changed:
 *
 * - `reloaded`: put into force, and told by its name
 * - `by_parts`: each of its parts is looked at by itself
 * - `level_only`: as `reloaded`, while the rest of it needs a restart
 * - `untold`: put into force where that can be, and nothing to tell
 * - `restart`: needs a restart
 */
type Handling = 'reloaded' | 'by_parts' | 'level_only' | 'untold' | 'restart'

const HANDLING: Readonly<Record<keyof Plan, Handling>> = {
  publicUrl: 'reloaded',
  allowedHosts: 'reloaded',
  cors: 'reloaded',
  limits: 'reloaded',
  trustedProxies: 'reloaded',
  shutdownDelaySeconds: 'reloaded',
  drainSeconds: 'reloaded',
  egress: 'reloaded',
  accessKeys: 'reloaded',
  rewrite: 'reloaded',
  servers: 'by_parts',
  listen: 'by_parts',
  broker: 'by_parts',
  log: 'level_only',
  notices: 'untold',
  sessionKey: 'untold',
  hasLastingSessionKey: 'untold',
  admin: 'restart',
  audit: 'restart',
  reload: 'restart',
  replicas: 'restart',
  acceptsStoredKeys: 'restart',
  store: 'restart',
  storeKeys: 'restart',
}

/** @returns the members that differ and are handled in one of these ways; what is not known needs a restart */
export function listHandled(before: Plan, after: Plan, ...ways: readonly Handling[]): string[] {
  const table: Readonly<Record<string, Handling>> = HANDLING
  return listDifferent(before, after).filter((name) => ways.includes(table[name] ?? 'restart'))
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
