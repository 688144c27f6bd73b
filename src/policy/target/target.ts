import type { Completing, Operation } from '../../core/operation.ts'
import type { Work } from '../work.ts'
import { foldCase } from './resource-pattern.ts'
import { type NamedParts, readResourceUri, type UriReadings } from './resource-uri.ts'
import { expandTemplate, listVariables } from './uri-template.ts'

/** What an operation is aimed at, as rules see it. */
export interface Target {
  /** Whether there is one, but it may be any. */
  readonly isUnknown: boolean
  /** As it was named; for a template, as it was filled in. */
  readonly name: string | undefined
  /** Of a resource: all that the URI may mean. */
  readonly readings: readonly string[]
  /** The same without regard to case. */
  readonly folded: readonly string[]
  /** For a template that is still open: what everything begins with that it may become, without regard to case. */
  readonly beginnings: readonly string[]
  /** Why it can't be judged. */
  readonly problem: string | undefined
}

const NOTHING = { isUnknown: false, name: undefined, readings: [], folded: [], beginnings: [], problem: undefined }

/**
 * Reads the target of an operation.
 *
 * @param operation - what is asked for
 * @param parts - what rules say of URIs; undefined when no rule is about resources
 * @param work - what reading may still cost
 */
export function readTarget(operation: Operation, parts: NamedParts | undefined, work: Work): Target {
  const { targetKind, target } = operation
  if (target === undefined) return { ...NOTHING, isUnknown: targetKind !== undefined }
  if (targetKind !== 'resource' || parts === undefined) return { ...NOTHING, name: target }
  return operation.method === 'completion/complete' ? readTemplate(operation, target, parts, work) : readUri(target, parts, work)
}

function readUri(uri: string, parts: NamedParts, work: Work): Target {
  const { readings, problem, isBoundless } = readResourceUri(uri, parts, work)
  return { isUnknown: isBoundless, name: uri, readings, folded: fold(readings), beginnings: [], problem }
}

/** Completing a template (RFC 6570) tells what there is below it: variables without a value may stand for anything. */
function readTemplate({ completing }: Operation, template: string, parts: NamedParts, work: Work): Target {
  const { uri, beginnings } = expandAll(template, completing)
  const target = readUri(uri, parts, work)
  const open = beginnings.map((beginning) => readBeginning(beginning, parts, work))
  // What can't be judged is one more thing that the template may become: any resource.
  const isBoundless = target.isUnknown || open.some((one) => one.isBoundless)
  if (isBoundless || [target, ...open].some(({ problem }) => problem !== undefined)) return { ...NOTHING, isUnknown: true }
  return { ...target, beginnings: fold(open.flatMap(({ readings }) => withoutParents(readings))) }
}

/** A value under a name that the template doesn't know may be used for a variable all the same. */
function expandAll(template: string, completing: Completing | undefined): { uri: string; beginnings: readonly string[] } {
  const variables = listVariables(template)
  const all = [expandTemplate(template, completing)]
  if (completing !== undefined && !variables.includes(completing.name)) {
    const name = variables.find((variable) => !completing.others.has(variable))
    if (name !== undefined) all.unshift(expandTemplate(template, { ...completing, name }))
  }
  return {
    uri: all[0]?.uri ?? template,
    beginnings: all.flatMap(({ beginning }) => (beginning === undefined ? [] : [beginning])),
  }
}

function readBeginning(beginning: string, parts: NamedParts, work: Work): UriReadings {
  return beginning === '' ? { readings: [''], problem: undefined, isBoundless: false } : readResourceUri(beginning, parts, work)
}

/** A file system drops the final slash, but what begins with `a` is more than what is in `a/`. */
function withoutParents(readings: readonly string[]): readonly string[] {
  const all = new Set(readings)
  return readings.filter((reading) => !all.has(`${reading}/`))
}

function fold(readings: readonly string[]): readonly string[] {
  return [...new Set(readings.map(foldCase))]
}
