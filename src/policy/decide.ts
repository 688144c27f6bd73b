import type { Decision, Denial, DenialGround, OperationOutcome } from '../core/decision.ts'
import { isPlainNotification, type Operation } from '../core/operation.ts'
import { ANSWER } from './applicable.ts'
import type { FindApplicable } from './applicable-memory.ts'
import type { RuleCondition } from './compiled-rule.ts'
import type { Inquiry } from './inquiry.ts'
import { describe, type Failure, type Judgement, judgeAccess, judgeCondition, note, type Subject } from './judge.ts'
import { listMissing, type Requirement, sortScopes } from './requirement.ts'

/** What applies on one path. */
export interface PathPolicy {
  /** Scopes that every request needs. */
  readonly requirements: readonly Requirement[]
  /** What must hold for every request besides. */
  readonly conditions: readonly RuleCondition[]
  /** Whether the audit log keeps the arguments of every operation. */
  readonly recordsArguments: boolean
  /** What is enforced of an operation. */
  readonly findApplicable: FindApplicable
  /** What is only tried; undefined where nothing is in shadow mode. */
  readonly findTried: FindApplicable | undefined
  /** Undefined where there is no `access`: every operation is open. */
  readonly accessMode: 'enforce' | 'shadow' | undefined
}

/** The log shows fewer. A message may name a thousand targets, and what is only tried must not slow others down. */
const MAX_WOULD_DENY = 20

const PERMIT: Decision = Object.freeze({ effect: 'permit' })

/** What stands in the way of a request. */
interface Obstacles {
  /** The first that is refused openly. */
  refusal: Denial | undefined
  /** The first that is hidden. */
  hiding: Denial | undefined
  readonly hidden: Operation[]
  readonly wouldDeny: string[]
}

/**
 * Decides on a request. Of several refusals one that hides comes first, so that nothing shows whether the target exists; scopes come last,
 * since asking for them helps only where nothing else is in the way.
 */
export function decide(
  inquiry: Inquiry,
  operations: readonly Operation[],
  policy: PathPolicy,
  onOutcome?: (outcome: OperationOutcome) => void,
): Decision {
  const obstacles = createObstacles()
  const asked: Requirement[] = []
  for (const condition of policy.conditions) applyCondition(inquiry, undefined, condition, obstacles)
  const { refusal: ofRequest } = obstacles
  for (const operation of operations) {
    // Only where each outcome is wanted, since all operations together have one.
    const own = onOutcome === undefined ? obstacles : createObstacles(ofRequest)
    const applicable = operation.kind === 'response' ? ANSWER : policy.findApplicable(operation, inquiry.work)
    applyEnforced(inquiry, { operation, applicable }, policy, own)
    const isTried = obstacles.wouldDeny.length < MAX_WOULD_DENY || inquiry.isIncomplete
    if (policy.findTried !== undefined && operation.kind !== 'response' && isTried)
      applyTried(inquiry, { operation, applicable: policy.findTried(operation, inquiry.shadowWork) }, policy, own)
    asked.push(...applicable.requirements)
    if (onOutcome === undefined) continue
    onOutcome(describeOutcome(inquiry, { operation, applicable }, policy, own))
    merge(own, obstacles)
  }
  return conclude(inquiry, operations, asked.length === 0 ? policy.requirements : [...policy.requirements, ...asked], obstacles)
}

function createObstacles(refusal?: Denial): Obstacles {
  return { refusal, hiding: undefined, hidden: [], wouldDeny: [] }
}

function merge({ refusal, hiding, hidden, wouldDeny }: Obstacles, all: Obstacles): void {
  all.refusal ??= refusal
  all.hiding ??= hiding && { ...hiding, hidden: all.hidden }
  all.hidden.push(...hidden)
  all.wouldDeny.push(...wouldDeny)
}

function describeOutcome(
  inquiry: Inquiry,
  { operation, applicable }: Subject,
  policy: PathPolicy,
  obstacles: Obstacles,
): OperationOutcome {
  const decision = settle(inquiry, [operation], [...policy.requirements, ...applicable.requirements], obstacles)
  const { openedBy } = inquiry
  inquiry.openedBy = undefined
  return {
    operation,
    decision,
    decidedBy: decision.effect === 'permit' ? openedBy : decision.decidedBy,
    recordsArguments: policy.recordsArguments || applicable.recordsArguments,
  }
}

function applyEnforced(inquiry: Inquiry, subject: Subject, { accessMode }: PathPolicy, obstacles: Obstacles): void {
  const { operation, applicable } = subject
  if (!applicable.isListed && !isPlainNotification(operation))
    refuse(obstacles, 'not_listed', `no rule names ${describe(operation)}`)
  if (applicable.problem !== undefined) return refuseAmbiguous(obstacles, `${describe(operation)} ${applicable.problem}`)
  if (accessMode === 'enforce' && !isPlainNotification(operation)) applyAccess(inquiry, subject, accessMode, obstacles)
  for (const condition of applicable.conditions) applyCondition(inquiry, subject, condition, obstacles)
}

function applyTried(inquiry: Inquiry, subject: Subject, { accessMode }: PathPolicy, obstacles: Obstacles): void {
  const { operation, applicable } = subject
  if (applicable.problem !== undefined) return void obstacles.wouldDeny.push(`${describe(operation)} ${applicable.problem}`)
  if (accessMode === 'shadow' && !isPlainNotification(operation)) applyAccess(inquiry, subject, accessMode, obstacles)
  for (const condition of applicable.conditions) applyCondition(inquiry, subject, condition, obstacles)
}

function applyAccess(inquiry: Inquiry, subject: Subject, mode: 'enforce' | 'shadow', obstacles: Obstacles): void {
  const judgement = judgeAccess(inquiry, subject, mode)
  if (judgement === 'holds') return
  const reason = `${describe(subject.operation)}: ${judgement.reason}`
  if (mode === 'shadow') obstacles.wouldDeny.push(`access: ${reason}`)
  // Methods are no secret, names of tools, prompts and resources are.
  else if (subject.operation.target === undefined) refuse(obstacles, judgement.ground, reason)
  else hide(obstacles, subject.operation, { ...judgement, reason })
}

function applyCondition(inquiry: Inquiry, subject: Subject | undefined, condition: RuleCondition, obstacles: Obstacles): void {
  const failure = findFailure(subject, condition, judgeCondition(inquiry, subject, condition))
  if (failure === undefined) return
  const reason = `${subject === undefined ? 'the request' : describe(subject.operation)}: ${condition.label}: ${failure.reason}`
  if (condition.isShadow) obstacles.wouldDeny.push(reason)
  else if (condition.hides && subject?.operation.target !== undefined) hide(obstacles, subject.operation, { ...failure, reason })
  else refuse(obstacles, failure.ground, reason, condition)
}

/**
 * What completes the arguments of a prompt or a template knows none of them: what depends on them is open, as in lists. Everywhere else
 * what is not known is refused.
 */
function findFailure(subject: Subject | undefined, { label }: RuleCondition, judgement: Judgement): Failure | undefined {
  if (judgement === 'holds') return undefined
  if (judgement !== 'depends') return judgement
  return subject?.operation.method === 'completion/complete'
    ? undefined
    : { label, ground: 'require_failed', reason: 'there are no arguments to look at' }
}

function refuseAmbiguous(obstacles: Obstacles, reason: string): void {
  obstacles.refusal ??= { effect: 'deny', code: 'resource_uri_ambiguous', reason }
}

function refuse(obstacles: Obstacles, ground: DenialGround, reason: string, condition?: RuleCondition): void {
  obstacles.refusal ??= {
    effect: 'deny',
    code: 'policy_denied',
    ground,
    reason,
    ...(condition && { decidedBy: condition.label }),
    ...(condition?.message !== undefined && { message: condition.message }),
  }
}

function hide(obstacles: Obstacles, operation: Operation, { label, ground, reason }: Failure): void {
  obstacles.hidden.push(operation)
  obstacles.hiding ??= {
    effect: 'deny',
    code: 'target_hidden',
    ground,
    reason,
    hidden: obstacles.hidden,
    ...(label !== undefined && { decidedBy: label }),
  }
}

function conclude(
  inquiry: Inquiry,
  operations: readonly Operation[],
  requirements: readonly Requirement[],
  obstacles: Obstacles,
): Decision {
  noteScopes(inquiry, requirements)
  return settle(inquiry, operations, requirements, obstacles)
}

function settle(
  inquiry: Inquiry,
  operations: readonly Operation[],
  requirements: readonly Requirement[],
  { hiding, refusal, wouldDeny }: Obstacles,
): Decision {
  const missing = listMissing(inquiry.principal.scopes, requirements)
  const decision = hiding ?? refusal ?? (missing.length > 0 ? denyForScopes(operations, requirements, missing) : PERMIT)
  return wouldDeny.length === 0 ? decision : { ...decision, wouldDeny }
}

/** Reports to the explanation, if one is wanted, for each rule that requires scopes. */
function noteScopes(inquiry: Inquiry, requirements: readonly Requirement[]): void {
  if (inquiry.onStep === undefined) return
  for (const [label, asked] of Map.groupBy(requirements, (requirement) => requirement.label)) {
    const missing = listMissing(inquiry.principal.scopes, asked)
    note(
      inquiry,
      undefined,
      label,
      false,
      missing.length === 0 ? 'holds' : { label, ground: 'scope_missing', reason: `missing ${missing.join(' ')}` },
    )
  }
}

function denyForScopes(
  operations: readonly Operation[],
  requirements: readonly Requirement[],
  missing: readonly string[],
): Denial {
  const what = operations.map(describe).join(', ') || 'the request'
  const reason = `${what.slice(0, 300)}: missing ${missing.join(' ')}`
  return { effect: 'deny', code: 'scope_insufficient', scopes: sortScopes(requirements), missing, reason }
}
