import { checkRuleCases } from './check/rule-case.ts'
import { ConfigError, type ConfigPath, type Mistake, type Problem, problemAt } from './problem/problem.ts'
import { parsePartially } from './schema/partial-config.ts'
import { type RuleCaseConfig, ruleCasesSchema } from './schema/rule-case.ts'
import { inFile, withPositions } from './source/config-file.ts'

/** A case of a file, as it is written. */
export type RuleCase = RuleCaseConfig

/** Takes down a mistake at a place within a case. */
export type ReportCase = (at: ConfigPath, mistake: Mistake) => void

/** A case that can be tried, and where it stands. */
export interface LoadedCase<T> {
  readonly settled: T
  /** `cases[2]` */
  readonly place: string
  readonly position: Problem['position']
}

/**
 * Loads a file with cases for `rules test`.
 *
 * @param settle - looks up in the configuration what a case names, and reports what is not there; undefined then
 * @throws ConfigError with every mistake
 */
export function loadRuleCases<T>(
  file: string,
  settle: (given: RuleCase, report: ReportCase) => T | undefined,
): readonly LoadedCase<T>[] {
  const load = (text: string) =>
    withPositions(text, (value, findPosition) => {
      const parsed = parsePartially(ruleCasesSchema, value)
      const problems = [...parsed.problems]
      checkRuleCases(parsed, (at, mistake) => problems.push(problemAt(at, mistake)))
      const isSound = (at: ConfigPath): boolean =>
        !problems.some((problem) => at.every((part, index) => problem.at[index] === part))
      const loaded = (parsed.partial.cases ?? []).flatMap((given, index) => {
        const at = ['cases', index]
        if (given === undefined || parsed.isBroken(at) || !isSound(at)) return []
        const settled = settle(given as RuleCase, (within, mistake) => problems.push(problemAt([...at, ...within], mistake)))
        return settled === undefined ? [] : [{ settled, place: `cases[${index}]`, position: findPosition(at) }]
      })
      if (problems.length > 0) throw new ConfigError(problems)
      return loaded
    })
  return inFile(file, load, NAME_CASES)
}

const NAME_CASES = 'Name an existing file with cases; docs/authorization.md shows what to write.'
