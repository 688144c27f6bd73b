import type { TraceIds } from '../core/trace-ids.ts'

/** What an action is asked with: the members of a JSON object. */
export type ActionInput = Readonly<Record<string, unknown>>

/**
 * Does what an operator asks for.
 *
 * @returns what becomes JSON
 * @throws ProxyError; a cause that is text is told to the operator, who has shown the token
 */
export type AdminAction = (input: ActionInput, caller: ActionCaller) => Promise<unknown> | unknown

export interface ActionCaller {
  readonly address: string
  /** For an action that has an answer and yet did not do what it was asked for. @param outcome - one of a bounded set */
  tellFailure(outcome: string): void
}

/** By exact path. */
export type AdminActions = ReadonlyMap<string, AdminAction>

/** What came of an action, for the log and the audit. */
export interface ActionReport {
  readonly requestId: string
  /** Of its trace; undefined while tracing is off. */
  readonly trace: TraceIds | undefined
  readonly action: string
  /** The members of its input that are no objects, as text; lists in one line. It has no secrets. */
  readonly parameters: Readonly<Record<string, string>>
  readonly address: string
  /** `success`, a code of the error catalogue, or the failure that the action told of. */
  readonly outcome: string
}
