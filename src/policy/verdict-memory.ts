import type { Operation } from '../core/operation.ts'
import type { Requirement } from './compiled-rule.ts'
import type { Work } from './work.ts'

/** What the rules say of an operation. */
export interface Verdict {
  readonly targetKind: Operation['targetKind']
  readonly requirements: readonly Requirement[]
  readonly isOpen: boolean
  /** Why the target can't be judged, so that nobody may have it. */
  readonly flaw: string | undefined
}

const MAX_REMEMBERED = 2_000
const MAX_REMEMBERED_LENGTH = 256

/**
 * Remembers verdicts, since clients ask for the same few operations again and again. Full, it forgets them all and begins anew. Long names
 * and what is typed into templates are judged anew each time.
 */
export function createVerdictMemory(judge: (operation: Operation, work: Work) => Verdict): typeof judge {
  const byMethod = new Map<string, Map<string | undefined, Verdict>>()
  let remembered = 0
  const remember = (operation: Operation, verdict: Verdict): void => {
    if (remembered++ >= MAX_REMEMBERED) {
      byMethod.clear()
      remembered = 1
    }
    const ofMethod = byMethod.get(operation.method) ?? new Map<string | undefined, Verdict>()
    byMethod.set(operation.method, ofMethod.set(operation.target, verdict))
  }
  return (operation, work) => {
    if (operation.completing !== undefined) return judge(operation, work)
    const known = byMethod.get(operation.method)?.get(operation.target)
    if (known !== undefined && known.targetKind === operation.targetKind) return known
    const verdict = judge(operation, work)
    const isShort = operation.method.length + (operation.target?.length ?? 0) <= MAX_REMEMBERED_LENGTH
    // A verdict that was cut short says nothing about the operation by itself.
    if (isShort && work.left >= 0) remember(operation, verdict)
    return verdict
  }
}
