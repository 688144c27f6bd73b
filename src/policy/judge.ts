import type { DecisionStep, DenialGround } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { AccessEntry } from './access-entry.ts'
import type { Applicable } from './applicable.ts'
import type { RuleCondition } from './compiled-rule.ts'
import type { CompiledExpression, Outcome } from './expression/expression.ts'
import type { Inquiry } from './inquiry.ts'
import { listMissing } from './requirement.ts'

/** What a check comes to. `depends`: on arguments that are not known. */
export type Judgement = 'holds' | 'depends' | Failure

export interface Failure {
  /** What decided. */
  readonly label: string | undefined
  readonly ground: DenialGround
  /** Why, for the log. */
  readonly reason: string
}

/** An operation, and what applies to it; undefined for what a request needs as a whole. */
export interface Subject {
  readonly operation: Operation
  readonly applicable: Applicable
}

/** Judges what a rule asks for besides scopes. */
export function judgeCondition(inquiry: Inquiry, subject: Subject | undefined, condition: RuleCondition): Judgement {
  const judgement = findFailure(inquiry, subject, condition)
  note(inquiry, subject, condition.label, condition.isShadow, judgement)
  return judgement
}

function findFailure(inquiry: Inquiry, subject: Subject | undefined, condition: RuleCondition): Judgement {
  const { label, denies, require, requirements } = condition
  if (denies) return { label, ground: 'rule_denied', reason: 'the rule denies it' }
  const missing = listMissing(inquiry.principal.scopes, requirements)
  if (missing.length > 0) return { label, ground: 'scope_missing', reason: `missing ${missing.join(' ')}` }
  if (require === undefined) return 'holds'
  const outcome = evaluate(inquiry, subject, require, condition.isShadow)
  if (outcome.value === true) return 'holds'
  if (outcome.value === 'unknown') return 'depends'
  return { label, ground: 'require_failed', reason: outcome.value === 'error' ? outcome.reason : 'require is false' }
}

function evaluate(inquiry: Inquiry, subject: Subject | undefined, require: CompiledExpression, isShadow: boolean): Outcome {
  if (subject === undefined) return inquiry.evaluate(require, undefined, isShadow)
  const { operation, applicable } = subject
  const { target } = applicable
  if (operation.targetKind !== 'resource') return inquiry.evaluate(require, operation, isShadow)
  // No text that an expression compares could stand for all that the URI may mean.
  if (require.readsResourceTarget && target === undefined)
    return { value: 'error', reason: 'the URI can be read in several ways' }
  return inquiry.evaluate(require, { ...operation, target }, isShadow)
}

/** Judges whether an entry of `access` opens the operation to the caller. Callers are not told which entries there are. */
export function judgeAccess(inquiry: Inquiry, subject: Subject, mode: 'enforce' | 'shadow'): 'holds' | Failure {
  const { applicable } = subject
  if (applicable.isFree) return 'holds'
  const isShadow = mode === 'shadow'
  for (const entry of applicable.entries) {
    const mismatch = findMismatch(inquiry, entry)
    const judgement = mismatch === undefined ? 'holds' : notOpened(entry.label, mismatch)
    note(inquiry, subject, entry.label, isShadow, judgement)
    if (judgement !== 'holds') continue
    if (!isShadow) inquiry.openedBy = entry.label
    return 'holds'
  }
  const failure = notOpened(undefined, `no access entry opens it${explainUnknownGroups(inquiry, applicable.entries)}`)
  note(inquiry, subject, 'access', isShadow, failure)
  return failure
}

function notOpened(label: string | undefined, reason: string): Failure {
  return { label, ground: 'not_opened', reason }
}

/** For the log: entries with groups never fit a user whose groups are not known. */
function explainUnknownGroups({ principal }: Inquiry, entries: readonly AccessEntry[]): string {
  const { groupsUnknown } = principal
  return groupsUnknown !== undefined && entries.some(({ readsGroups }) => readsGroups)
    ? `; the groups of the principal are not known: ${groupsUnknown}`
    : ''
}

/** Entries do not look at operations: one answer for each, however many items a list has. */
function findMismatch(inquiry: Inquiry, entry: AccessEntry): string | undefined {
  return inquiry.remember(entry, () => entry.findMismatch(inquiry))
}

/** Reports to the explanation, if one is wanted. */
export function note(
  { onStep }: Inquiry,
  subject: Pick<Subject, 'operation'> | undefined,
  check: string,
  isShadow: boolean,
  judgement: Judgement,
): void {
  onStep?.({
    subject: subject === undefined ? 'the request' : describe(subject.operation),
    check,
    isShadow,
    outcome: outcomeOf(judgement),
    detail: typeof judgement === 'string' ? '' : judgement.reason,
  })
}

function outcomeOf(judgement: Judgement): DecisionStep['outcome'] {
  return typeof judgement === 'string' ? judgement : 'fails'
}

/** An operation in words, cut to what a log line can take. */
export function describe({ kind, method, target }: Operation): string {
  if (kind === 'response') return 'an answer'
  const quoted = JSON.stringify(method.slice(0, 64))
  return target === undefined ? quoted : `${quoted} ${JSON.stringify(target.slice(0, 128))}`
}
