import type { ConfigPath, Report } from '../problem/problem.ts'
import type { Draft } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { Material } from '../source/secrets-and-files.ts'

/** What the checks that concern several keys work on. */
export interface Inspection {
  readonly draft: Draft<Config>
  /** Whether something at, above or below a place could not be read, so that its absence means nothing. */
  readonly isBroken: (at: ConfigPath) => boolean
  readonly material: Material
  readonly report: Report
}
