import type { ClaimCondition } from './issuer-plan.ts'

/** Who may do what on one server. */
export interface PolicyPlan {
  /** Scopes that every call needs. */
  readonly baseScopes: readonly string[]
  readonly rules: readonly RulePlan[]
  /** Scope → scopes that it implies, transitively closed. */
  readonly hierarchy: Readonly<Record<string, readonly string[]>>
  /** What happens to requests that no rule names. `deny` leaves what every client needs to begin: see `docs/configuration.md`. */
  readonly unlistedOperations: 'permit' | 'deny'
  /** Who may use what; left out where everyone may use everything that rules do not restrict. */
  readonly access?: AccessPlan
  /** Whether an entry or an expression looks at the groups of principals: for diagnoses, nothing is decided by it. */
  readonly readsGroups?: true
  /** Scopes that expressions ask for by name, left out where there are none. The same. */
  readonly expressionScopes?: readonly string[]
  /** Whether lists show what only lacks scopes, so that clients can ask for them. By default true. */
  readonly listStepUp?: boolean
}

/** Who may use what. An operation is open when one entry fits both principal and operation. */
export interface AccessPlan {
  /** `shadow`: decided and logged, not enforced. */
  readonly mode: 'enforce' | 'shadow'
  readonly entries: readonly AccessEntryPlan[]
}

/** All conditions must hold; an entry without any is for everyone. */
export interface AccessEntryPlan {
  /** Where it stands: `servers[0].access[1]`. */
  readonly label: string
  /** The principal is in one of them. */
  readonly groups?: readonly string[]
  readonly claim?: ClaimCondition
  /** Expression about the principal and the request. */
  readonly who?: string
  /** Patterns of tool names, for calls. */
  readonly tools: readonly string[]
  /** Patterns of prompt names, for get and completion. */
  readonly prompts: readonly string[]
  /** Patterns of resource URIs, for read, subscribe, unsubscribe and completion. */
  readonly resources: readonly string[]
  /** Exact methods, or families with a star. */
  readonly methods: readonly string[]
}

/** What matching operations need besides the base scopes. All matching rules must hold. */
export interface RulePlan {
  /** Exact method (`tools/call`), or a family with a star (`tools/*`). */
  readonly method?: string
  /** Pattern of the tool name (`*` matches within a name), method `tools/call`. */
  readonly tool?: string
  readonly prompt?: string
  /** Pattern of the resource URI, methods `resources/read`, `resources/subscribe`, `resources/unsubscribe`. */
  readonly resource?: string
  /** Exact request path. */
  readonly path?: string
  readonly scopes: readonly string[]
  /** Expression that must be true. */
  readonly require?: string
  /** Never permitted. */
  readonly deny?: boolean
  /** What callers are told who are refused by `require` or `deny`. */
  readonly reason?: string
  /** The audit log keeps the arguments of matching operations whole. */
  readonly recordArguments?: boolean
  /** `hide`: a refused caller must not learn whether the target exists. By default `refuse`. */
  readonly onDeny?: 'refuse' | 'hide'
  /** `shadow`: decided and logged, not enforced. By default `enforce`. */
  readonly mode?: 'enforce' | 'shadow'
}
