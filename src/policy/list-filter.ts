import type { ListedKind, ListFacts, ListFilter } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import type { Applicable } from './applicable.ts'
import type { PathPolicy } from './decide.ts'
import { Inquiry } from './inquiry.ts'
import { judgeAccess, judgeCondition, type Subject } from './judge.ts'
import { holdsAll } from './requirement.ts'
import { createWork } from './work.ts'

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

/** Filters lists by the decision about the use of each item. A class, since most answers of a server hold no list: it is cheap until it is asked. */
export class ItemFilter implements ListFilter {
  readonly #principal: Principal
  readonly #facts: ListFacts
  readonly #policy: PathPolicy
  readonly #lists: ListRules
  #inquiry: Inquiry | undefined

  constructor(principal: Principal, facts: ListFacts, policy: PathPolicy, lists: ListRules) {
    this.#principal = principal
    this.#facts = facts
    this.#policy = policy
    this.#lists = lists
  }

  shows(kind: ListedKind, name: string): boolean {
    const { findForTemplate, showsStepUp } = this.#lists
    const inquiry = this.#inquire()
    const { method, targetKind } = USES[kind]
    const operation: Operation = { kind: 'request', method, targetKind, target: name, id: undefined }
    const find = kind === 'resource_template' ? findForTemplate : this.#policy.findApplicable
    const applicable = find(operation, inquiry.work)
    if (applicable.problem !== undefined || !applicable.isListed) return false
    return isUsable(inquiry, { operation, applicable }, this.#policy) && (showsStepUp || hasScopes(inquiry, applicable))
  }

  /** All items are judged within one budget. */
  #inquire(): Inquiry {
    if (this.#inquiry === undefined) {
      const about = { path: this.#facts.path, facts: this.#facts, readArguments: undefined }
      this.#inquiry = new Inquiry(this.#principal, about, createWork(), undefined)
    }
    return this.#inquiry
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
