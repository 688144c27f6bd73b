/** Environment variables that say who calls. */
export interface CallerVariables {
  readonly values: Readonly<Record<string, string>>
  /** Of the values: the same for callers of whom the same is said. */
  readonly digest: string
}
