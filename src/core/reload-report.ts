/** What came of a reload. */
export type ReloadReport =
  /** `changed`: names of settings, in words of the configuration file; empty where nothing changed. */
  | { readonly outcome: 'reloaded'; readonly digest: string; readonly changed: readonly string[] }
  /** The configuration has mistakes. Nothing changed. */
  | { readonly outcome: 'invalid'; readonly problems: readonly ReloadProblem[] }
  /** Settings differ that only a restart can change. Nothing changed, not even what could have. */
  | { readonly outcome: 'restart_needed'; readonly settings: readonly string[] }
  /** The new configuration is valid, but could not be put into force. Nothing changed. */
  | { readonly outcome: 'failed'; readonly reason: string }
  | { readonly outcome: 'shutting_down' }

/** A mistake of the configuration. */
export interface ReloadProblem {
  readonly path: string
  readonly reason: string
  readonly fix: string
  readonly position?: { readonly line: number; readonly column: number } | undefined
}
