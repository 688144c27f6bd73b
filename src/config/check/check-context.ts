import type { ConfigPath, Report } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** What the checks that concern several keys work on. */
export interface CheckContext {
  readonly config: PartialConfig<Config>
  /** Whether something at, above or below a place could not be read, so that its absence means nothing. */
  readonly isBroken: (at: ConfigPath) => boolean
  readonly secretsAndFiles: SecretsAndFiles
  readonly report: Report
}
