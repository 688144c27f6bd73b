import { foldMethod, isSeenAs } from '../core/method-spelling.ts'
import { compileNamePattern } from '../core/name-pattern.ts'
import type { Operation } from '../core/operation.ts'
import { compileResourcePattern } from './target/resource-pattern.ts'
import type { Target } from './target/target.ts'
import { spend, type Work } from './work.ts'

/** The pattern of a tool, prompt or resource, ready to be compared with targets. */
export interface TargetPattern {
  readonly kind: NonNullable<Operation['targetKind']>
  /** Whether it is about something that the target may be. For what restricts. */
  restricts(target: Target, work: Work): boolean
  /** Whether it is about the target as that was written. For what opens, together with all readings. */
  names(target: Target, work: Work): boolean
  /** Whether it is about this reading of the target. */
  namesReading(reading: string, work: Work): boolean
  /** Whether it is about everything that the target may be. For what opens by itself. */
  covers(target: Target, work: Work): boolean
  /** Whether it is about some of what a URI template may become, as both are written: what stands before their first variable part. */
  overlaps(template: string): boolean
}

/** A method (`tools/call`) or a family of methods (`tools/*`), letter by letter. For what opens. */
export function compileMethod(method: string | undefined): (method: string) => boolean {
  if (method === undefined) return always
  if (!method.endsWith('*')) return (name) => name === method
  const family = method.slice(0, -1)
  return (name) => name.startsWith(family)
}

/** The same for what restricts: spellings that a lenient reader takes for the method count, too. */
export function compileMethodSpellings(method: string | undefined): (method: string) => boolean {
  if (method === undefined) return always
  const isExact = compileMethod(method)
  const isFamily = method.endsWith('*')
  const form = foldMethod(isFamily ? method.slice(0, -1) : method)
  return (name) => {
    if (isExact(name)) return true
    const folded = foldMethod(name)
    return isSeenAs(isFamily ? folded.slice(0, form.length) : folded, form)
  }
}

const always = (): boolean => true

/** Names of tools and prompts are compared letter by letter. */
export function compileName(kind: TargetPattern['kind'], pattern: string): TargetPattern {
  const fits = compileNamePattern(pattern)
  const names = ({ name }: Target, work: Work): boolean => {
    spend(work, name?.length ?? 0)
    return name !== undefined && fits(name)
  }
  const restricts = (target: Target, work: Work): boolean => target.isUnknown || names(target, work)
  return { kind, names, restricts, namesReading: fits, covers: names, overlaps: () => false }
}

/** URIs of resources are compared in all readings that they may have. */
export function compileResource(resource: string): TargetPattern {
  const pattern = compileResourcePattern(resource)
  const names = ({ isUnknown, name }: Target, work: Work): boolean =>
    !isUnknown && name !== undefined && pattern.names(name, work)
  return {
    kind: 'resource',
    overlaps: (template) => isPrefixOfOther(template.split('{', 1)[0] ?? '', resource.split('*', 1)[0] ?? ''),
    restricts: ({ isUnknown, folded, beginnings }, work) =>
      isUnknown || folded.some((reading) => pattern.restricts(reading, work)) || beginnings.some(pattern.mayRestrict),
    names,
    namesReading: pattern.namesReading,
    covers: (target, work) =>
      names(target, work) &&
      target.readings.every((reading) => pattern.namesReading(reading, work)) &&
      target.beginnings.every(pattern.coversBeginning),
  }
}

function isPrefixOfOther(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one)
}
