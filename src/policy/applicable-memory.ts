import type { Operation } from '../core/operation.ts'
import type { Applicable } from './applicable.ts'
import type { Work } from './work.ts'

const MAX_REMEMBERED = 2_000
const MAX_REMEMBERED_LENGTH = 256

export type FindApplicable = (operation: Operation, work: Work) => Applicable

/**
 * Remembers what applies to operations, since clients ask for the same few again and again. Full, it forgets them all and begins anew. Long
 * names and what is typed into templates are looked at anew each time.
 *
 * @param find - must not depend on id, nor on whether the operation is a request or a notification
 */
export function createApplicableMemory(find: FindApplicable): FindApplicable {
  const byMethod = new Map<string, Map<string | undefined, Applicable>>()
  let remembered = 0
  const remember = (operation: Operation, applicable: Applicable): void => {
    if (remembered++ >= MAX_REMEMBERED) {
      byMethod.clear()
      remembered = 1
    }
    const ofMethod = byMethod.get(operation.method) ?? new Map<string | undefined, Applicable>()
    byMethod.set(operation.method, ofMethod.set(operation.target, applicable))
  }
  return (operation, work) => {
    if (operation.completing !== undefined) return find(operation, work)
    const known = byMethod.get(operation.method)?.get(operation.target)
    if (known !== undefined && known.targetKind === operation.targetKind) return known
    const applicable = find(operation, work)
    const isShort = operation.method.length + (operation.target?.length ?? 0) <= MAX_REMEMBERED_LENGTH
    // What was cut short says nothing about the operation by itself.
    if (isShort && work.left >= 0) remember(operation, applicable)
    return applicable
  }
}
