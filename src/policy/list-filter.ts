import type { ListedKind, ListFilter } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { Applicable } from './applicable.ts'
import type { PathPolicy } from './decide.ts'
import type { Inquiry } from './inquiry.ts'
import { judgeAccess, judgeCondition, type Subject } from './judge.ts'
import { holdsAll } from './requirement.ts'

/** What one asks for who uses an item of a list. */
const USES: Readonly<Record<ListedKind, Pick<Operation, 'method' | 'targetKind'>>> = {
  tool: { method: 'tools/call', targetKind: 'tool' },
  prompt: { method: 'prompts/get', targetKind: 'prompt' },
  resource: { method: 'resources/read', targetKind: 'resource' },
  resource_template: { method: 'resources/read', targetKind: 'resource' },
}

/** How lists treat what is refused. */
export interface ListRules {
  /** Whether what only lacks scopes is shown, so that clients can ask for them. */
  readonly showsStepUp: boolean
  /** What applies to everything that a URI template may become, and to something that it may become. */
  readonly findForTemplate: PathPolicy['findApplicable']
}

/** Filters lists by the decision about the use of each item. */
export function createItemFilter(inquiry: Inquiry, policy: PathPolicy, { showsStepUp, findForTemplate }: ListRules): ListFilter {
  return {
    shows(kind, name) {
      const operation: Operation = { kind: 'request', ...USES[kind], target: name, id: undefined }
      const find = kind === 'resource_template' ? findForTemplate : policy.findApplicable
      const applicable = find(operation, inquiry.work)
      if (inquiry.work.left < 0 || applicable.problem !== undefined || !applicable.isListed) return false
      return isUsable(inquiry, { operation, applicable }, policy) && (showsStepUp || hasScopes(inquiry, applicable))
    },
  }
}

function isUsable(inquiry: Inquiry, subject: Subject, { accessMode }: PathPolicy): boolean {
  if (accessMode === 'enforce' && judgeAccess(inquiry, subject, accessMode) !== 'holds') return false
  return subject.applicable.conditions.every((condition) => {
    return condition.isShadow || typeof judgeCondition(inquiry, subject, condition) === 'string'
  })
}

function hasScopes({ principal }: Inquiry, { requirements }: Applicable): boolean {
  return holdsAll(principal.scopes, requirements)
}
