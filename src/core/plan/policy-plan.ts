export interface PolicyPlan {
  /** Scopes that every call needs. */
  readonly baseScopes: readonly string[]
  readonly rules: readonly RulePlan[]
  /** Scope → scopes that it implies, transitively closed. */
  readonly hierarchy: Readonly<Record<string, readonly string[]>>
  /** What happens to requests that no rule names. `deny` leaves what every client needs to begin: see `docs/configuration.md`. */
  readonly unlistedOperations: 'permit' | 'deny'
}

/** Scopes that matching operations need besides the base scopes. All matching rules add up. */
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
}
