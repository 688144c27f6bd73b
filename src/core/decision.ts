import type { ReasonOf } from './errors.ts'
import type { Operation } from './operation.ts'
import type { Principal } from './principal.ts'
import type { Sender } from './reading-thread.ts'

/** The outcome of policy. Only `permit` lets a call through; compare with it, never with its opposite. */
export type Decision = Permission | Denial

export interface Permission {
  readonly effect: 'permit'
  /** What rules and access entries in shadow mode would have refused, for the log: `rules[2]: require is false`. */
  readonly wouldDeny?: readonly string[]
}

/**
 * `scope_insufficient`: more scopes would permit it. `policy_denied`: nothing that a client can ask for would. `target_hidden`: the caller
 * must not learn whether it exists. `resource_uri_ambiguous`: it is not known what is asked for.
 */
export type DenialCode = GroundedCode | 'scope_insufficient' | 'resource_uri_ambiguous'

type GroundedCode = 'policy_denied' | 'target_hidden'

/** What a refusal rests on: the `reason` of its error. */
export type DenialGround = ReasonOf<GroundedCode>

export type Denial = DenialFacts &
  (
    | { readonly code: GroundedCode; readonly ground: DenialGround }
    | { readonly code: Exclude<DenialCode, GroundedCode>; readonly ground?: undefined }
  )

interface DenialFacts {
  readonly effect: 'deny'
  /** `scope_insufficient`: every scope that the whole request needs, sorted. */
  readonly scopes?: readonly string[]
  /** Those of them that the principal lacks. */
  readonly missing?: readonly string[]
  /** `target_hidden`: the operations whose targets are hidden. */
  readonly hidden?: readonly Operation[]
  /** What the deciding rule tells callers (`reason` of a rule in the configuration). */
  readonly message?: string
  /** What decided, as a path in the server's configuration: `rules[2]`; undefined for scopes and for what no entry opens. */
  readonly decidedBy?: string
  /** Why, for the log. */
  readonly reason: string
  /** As for a permission. */
  readonly wouldDeny?: readonly string[]
}

/** What is decided on: the whole request, since all its operations must pass together. */
export interface PolicyQuestion {
  readonly path: string
  readonly operations: readonly Operation[]
  readonly facts: RequestFacts
  /** Called for each operation, in order, with what was decided on it alone. Left out where no one keeps it: it costs a little. */
  readonly onOutcome?: ((outcome: OperationOutcome) => void) | undefined
}

/** What was decided on one operation of a request, as if it were all of it. */
export interface OperationOutcome {
  readonly operation: Operation
  readonly decision: Decision
  /** The rule that refused, or the access entry that opened it: `rules[2]`, `servers[0].access[1]`. */
  readonly decidedBy: string | undefined
  /** Whether a rule asks for its arguments to be kept whole. */
  readonly recordsArguments: boolean
}

/** What expressions may look at besides principal and operation. */
export interface RequestFacts {
  /** Name of the server. */
  readonly server: string
  /** Protocol revision that applies. */
  readonly revision: string
  /** Address of the client, as trusted proxies tell it. */
  readonly address: string
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * The `arguments` of an operation, as JSON text. Called only where a rule looks at them.
   *
   * @returns undefined where the message has none
   */
  readArguments(operation: Operation): string | undefined
}

/** One check of a decision, for an explanation. */
export interface DecisionStep {
  /** The operation that was looked at, or the request as a whole. */
  readonly subject: string
  /** What was checked: `scopes`, `access[0]`, `rules[2]`. */
  readonly check: string
  /** `depends`: on arguments that are not known. Steps in shadow mode decide nothing. */
  readonly outcome: 'holds' | 'fails' | 'depends'
  readonly isShadow: boolean
  readonly detail: string
}

/** Decides whether a principal may do what a request asks for. */
export interface PolicyEngine {
  /**
   * Pure and synchronous. A batch is permitted only when every operation in it is.
   *
   * @param onStep - called for each check, in order
   */
  decide(principal: Principal, question: PolicyQuestion, onStep?: (step: DecisionStep) => void): Decision
  /**
   * As `decide`, for requests whose arguments are too long to be read here: expressions that look at them are evaluated in a thread of their own. Undefined where none
   * does.
   *
   * @throws as `ReadingThread`
   */
  readonly decideApart?: ((principal: Principal, question: PolicyQuestion, sender: Sender) => Promise<Decision>) | undefined
  /** What lists may show a principal; undefined where no rule of the server needs lists to be filtered. */
  createListFilter(principal: Principal, facts: ListFacts): ListFilter | undefined
}

/** Lists are filtered before any arguments are known. */
export type ListFacts = Omit<RequestFacts, 'readArguments'> & { readonly path: string }

/** Items of lists, by the member of the result that holds them. */
export type ListedKind = 'tool' | 'prompt' | 'resource' | 'resource_template'

/** Decides what lists and notifications show, as the call itself would be decided. */
export interface ListFilter {
  /**
   * Whether a list shows the item: the principal may use it, could with more scopes (unless `list_step_up` is off), or it depends on
   * arguments.
   *
   * @param name - name of a tool or prompt, URI of a resource, URI template
   */
  shows(kind: ListedKind, name: string): boolean
}
