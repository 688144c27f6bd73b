import type { Call } from '../../../core/call.ts'
import type { CallerVariables } from '../../../core/caller-variables.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'

/** Whom a process is for. */
export interface ProcessOwner {
  /** On whose account it is: a principal, or all that share it. */
  readonly key: string
  /** What its environment says of the caller; undefined where that says nothing. */
  readonly variables?: CallerVariables | undefined
}

export function findOwner({ principal, callerVariables }: Pick<Call, 'principal' | 'callerVariables'>): ProcessOwner {
  return { key: formatPrincipalKey(principal), variables: callerVariables }
}

/**
 * The same for all that may use a process. An environment stays as it was when the process started: of whom it would say something else now is
 * another owner, even if it is the same user.
 */
export function formatOwnerKey({ key, variables }: ProcessOwner): string {
  return variables === undefined ? key : `${key} ${variables.digest}`
}
