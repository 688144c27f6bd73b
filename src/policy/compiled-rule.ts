import type { Operation } from '../core/operation.ts'
import type { RulePlan } from '../core/plan.ts'
import { compileNamePattern, type MatchName } from './name-pattern.ts'
import { decodeOnce, readResourceUri } from './resource-uri.ts'
import { compileUriPattern, type MatchUri } from './uri-pattern.ts'

/** A scope that is needed, and the scopes that imply it. */
export interface Requirement {
  readonly scope: string
  /** The scope itself first. */
  readonly heldBy: readonly string[]
}

/** A rule, ready to be asked about operations. */
export interface CompiledRule {
  readonly requirements: readonly Requirement[]
  /** Whether it names operations at all; otherwise it is about the path alone. */
  readonly namesOperations: boolean
  /** Whether it is about the operation's method and kind of target. */
  concerns(operation: Operation): boolean
  /** Whether it is about this reading of the target; undefined for operations without a target. */
  fits(reading: string | undefined): boolean
  /** Whether something that begins like this may be what it is about. */
  mayFit(beginning: string): boolean
}

/**
 * @param rule - all of its conditions must hold
 * @param requirements - of its scopes
 */
export function compileRule(rule: RulePlan, requirements: readonly Requirement[]): CompiledRule {
  const matchMethod = compileMethod(rule.method)
  const target = compileTarget(rule)
  return {
    requirements,
    namesOperations: rule.method !== undefined || target !== undefined,
    concerns: ({ method, targetKind }) => matchMethod(method) && (target === undefined || target.kind === targetKind),
    fits: (reading) => target === undefined || (reading !== undefined && target.match(reading)),
    mayFit: (beginning) => target === undefined || target.beginnings.some((own) => agree(own, beginning)),
  }
}

/** `tools/*` is every method that begins with `tools/`. */
function compileMethod(method: string | undefined): (method: string) => boolean {
  if (method === undefined) return () => true
  if (!method.endsWith('*')) return (name) => name === method
  const family = method.slice(0, -1)
  return (name) => name.startsWith(family)
}

interface TargetRule {
  readonly kind: NonNullable<Operation['targetKind']>
  readonly match: MatchName | MatchUri
  /** What everything begins with that matches, in each spelling of the pattern. */
  readonly beginnings: readonly string[]
}

function compileTarget({ tool, prompt, resource }: RulePlan): TargetRule | undefined {
  if (tool !== undefined) return { kind: 'tool', match: compileNamePattern(tool), beginnings: [findBeginning(tool)] }
  if (prompt !== undefined) return { kind: 'prompt', match: compileNamePattern(prompt), beginnings: [findBeginning(prompt)] }
  if (resource === undefined) return undefined
  const beginnings = [resource, decodeOnce(resource)].map(findBeginning)
  return { kind: 'resource', match: compileResource(resource), beginnings }
}

/** What stands before the first wildcard. */
function findBeginning(pattern: string): string {
  return pattern.split('*', 1)[0] ?? ''
}

function agree(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one)
}

/** Readings are without escapes, so a pattern that is written with them is tried without, too. */
function compileResource(pattern: string): MatchUri {
  const asWritten = compileUriPattern(pattern)
  const decoded = decodeOnce(pattern)
  if (decoded === pattern) return asWritten
  const plain = compileUriPattern(decoded)
  return (uri) => asWritten(uri) || plain(uri)
}

/** What the target of an operation may mean. */
export interface TargetReadings {
  /** All of these mean the very thing that was asked for: a rule that opens must be about each. */
  readonly same: readonly (string | undefined)[]
  /** A rule that restricts may be about one of these as well. Undefined: nobody can tell, so every rule that concerns it restricts. */
  readonly further: readonly string[] | undefined
  /** For a URI template: what everything begins with that it may become. A rule that restricts may be about one of those. */
  readonly beginnings: readonly string[]
}

const MAX_TARGET_LENGTH = 8 * 1024

/** Reads the target of an operation: as it is, and a resource URI in all its readings. */
export function readTarget({ method, targetKind, target }: Operation): TargetReadings {
  const isUnclear = target === undefined ? targetKind !== undefined : target.length > MAX_TARGET_LENGTH
  if (isUnclear) return { same: [undefined], further: undefined, beginnings: [] }
  if (targetKind !== 'resource' || target === undefined) return { same: [target], further: [], beginnings: [] }
  const { same, bare } = readResourceUri(target)
  return { same, further: bare, beginnings: method === 'completion/complete' ? readTemplate(target) : [] }
}

/** Completing a template (RFC 6570) tells what there is below it: the variables may stand for anything. */
function readTemplate(target: string): readonly string[] {
  const brace = target.indexOf('{')
  if (brace === -1) return []
  const { same, bare } = readResourceUri(target.slice(0, brace))
  return [...same, ...bare]
}
