import type { Operation } from '../core/operation.ts'
import type { AccessEntry } from './access-entry.ts'
import type { CompiledRule, RuleCondition } from './compiled-rule.ts'
import type { Requirement } from './requirement.ts'
import type { NamedParts } from './target/resource-uri.ts'
import { readTarget, type Target } from './target/target.ts'
import type { Work } from './work.ts'

/** What the configuration says of an operation, independent of the caller. */
export interface Applicable {
  readonly targetKind: Operation['targetKind']
  /** Scopes that are asked for by a challenge. */
  readonly requirements: readonly Requirement[]
  /** What must hold besides. */
  readonly conditions: readonly RuleCondition[]
  /** Entries of `access` that open it for those whom they fit. */
  readonly entries: readonly AccessEntry[]
  /** Whether it needs no entry of `access`. */
  readonly isFree: boolean
  /** Whether `unlisted_operations` leaves it open. */
  readonly isListed: boolean
  /** Whether a rule asks for arguments to be kept by the audit log. */
  readonly recordsArguments: boolean
  /** Why the target can't be judged, so that it is refused to everyone. */
  readonly problem: string | undefined
  /** What expressions see as the target: of a resource its normalised URI; undefined where it has several readings. */
  readonly target: string | undefined
}

/** What applies on one path: all that is enforced there, or all that is only tried. */
export interface OperationRules {
  readonly rules: readonly CompiledRule[]
  readonly entries: readonly AccessEntry[]
  /** List methods that `unlisted_operations: deny` leaves open; undefined where everything is. */
  readonly openLists: ReadonlySet<string> | undefined
  /** What patterns say of resource URIs; undefined when none does. */
  readonly parts: NamedParts | undefined
}

/** What every client needs to begin. */
const BEGINNINGS: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover'])

/** What shows or tells only what it may, since it is filtered. */
const FILTERED: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'subscriptions/listen',
])

/** Finds what applies to an operation. */
export function findApplicable(operation: Operation, given: OperationRules, work: Work): Applicable {
  const target = readTarget(operation, given.parts, work)
  const concerned = given.rules.filter((rule) => rule.concerns(operation))
  const { method, targetKind } = operation
  const facts = {
    targetKind,
    isFree: BEGINNINGS.has(method) || (FILTERED.has(method) && targetKind === undefined),
    isListed: isListed(operation, given, concerned, target, work),
    target: target.readings.length > 1 ? undefined : (target.readings[0] ?? target.name),
  }
  if (target.problem !== undefined) return { ...facts, ...combine([]), entries: [], problem: target.problem }
  const rules = concerned.filter((rule) => rule.restricts(target, work))
  const entries = given.entries.filter((entry) => entry.opens(operation, target, work))
  if (work.left < 0) return TOO_MUCH
  return { ...facts, ...combine(rules), entries, problem: undefined }
}

/**
 * Finds what applies to a URI template of a list: entries that open some of what it may become, and of the rules those that are about all
 * of it.
 */
export function findApplicableToTemplate(operation: Operation, given: OperationRules, work: Work): Applicable {
  const template = readTarget({ ...operation, method: 'completion/complete' }, given.parts, work)
  const concerned = given.rules.filter((rule) => rule.concerns(operation))
  const rules = concerned.filter((rule) => rule.covers(template, work))
  const entries = given.entries.filter((entry) => entry.opensSome(operation.target ?? ''))
  if (work.left < 0) return TOO_MUCH
  const isListed = given.openLists === undefined || concerned.some((rule) => rule.restricts(template, work))
  const { targetKind } = operation
  return { targetKind, isFree: false, isListed, target: undefined, ...combine(rules), entries, problem: undefined }
}

function combine(rules: readonly CompiledRule[]): Pick<Applicable, 'requirements' | 'conditions' | 'recordsArguments'> {
  return {
    requirements: rules.flatMap(({ requirements }) => requirements),
    conditions: rules.flatMap(({ condition }) => condition ?? []),
    recordsArguments: rules.some((rule) => rule.recordsArguments),
  }
}

const TOO_MUCH: Applicable = {
  targetKind: undefined,
  requirements: [],
  conditions: [],
  entries: [],
  isFree: false,
  isListed: true,
  recordsArguments: false,
  target: undefined,
  problem: 'and what else the message names are too much to compare with the rules',
}

function isListed(
  operation: Operation,
  { openLists }: OperationRules,
  concerned: readonly CompiledRule[],
  target: Target,
  work: Work,
): boolean {
  if (openLists === undefined) return true
  const { method } = operation
  if (BEGINNINGS.has(method) || openLists.has(method)) return true
  return isNamed(
    target,
    concerned.filter((rule) => rule.namesMethod(method)),
    work,
  )
}

/** Whether rules are about the target as it was written, and about whatever else it may mean. */
function isNamed(target: Target, concerned: readonly CompiledRule[], work: Work): boolean {
  if (!concerned.some((rule) => rule.names(target, work))) return false
  return target.readings.every((reading) => concerned.some((rule) => rule.namesReading(reading, work)))
}

/** A client's answer to a request of the server. */
export const ANSWER: Applicable = {
  targetKind: undefined,
  requirements: [],
  conditions: [],
  entries: [],
  isFree: true,
  isListed: true,
  recordsArguments: false,
  target: undefined,
  problem: undefined,
}
