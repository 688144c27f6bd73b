import { type LoadedCase, loadRuleCases } from '../config/load-rule-cases.ts'
import { ConfigError } from '../config/problem/problem.ts'
import type { Plan } from '../core/plan/plan.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { type SettledCase, settleCase } from '../explain/case.ts'
import { listUnexercised } from '../explain/exercised.ts'
import { type Trial, tryCases } from '../explain/try-case.ts'
import { formatPrincipal, formatSteps, formatWhy } from './explain-lines.ts'
import { printProblems } from './problem-lines.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { wrapHanging } from './wrap.ts'

interface FileCase extends LoadedCase<SettledCase> {
  readonly file: string
}

/**
 * `rules test`: tries cases on the policies of a configuration.
 *
 * @returns the exit code: 0 when all came out as expected, 1 when one did not, 2 when a file has mistakes
 * @throws ConfigError of the configuration
 */
export async function runRuleTests(files: readonly string[], source: Source, terminal: Terminal): Promise<0 | 1 | 2> {
  const { plan } = source.load()
  const cases = loadFiles(files, plan, terminal)
  if (cases === undefined) return 2
  const settled = cases.map((one) => one.settled)
  const trials = tryCases(settled, plan)
  const surprises = cases
    .map((one, index) => ({ one, trial: trials[index] as Trial }))
    .filter(({ trial }) => trial.isExpected !== true)
  for (const { one, trial } of surprises) for (const line of formatSurprise(one, trial, terminal)) terminal.print(line)
  const unexercised = listUnexercised(plan, settled)
  for (const words of unexercised)
    for (const line of formatWarning(words)) terminal.print(terminal.paintOutput('yellow', escapeControlCharacters(line)))
  const count = `${cases.length - surprises.length} of ${cases.length} cases came out as expected.`
  terminal.print(terminal.paintOutput(surprises.length === 0 ? 'green' : 'red', count))
  return surprises.length === 0 ? 0 : 1
}

/** Undefined where a file has mistakes: those of every file have been told then. */
function loadFiles(files: readonly string[], plan: Plan, terminal: Terminal): readonly FileCase[] | undefined {
  let hasMistakes = false
  const cases = files.flatMap((file) => {
    try {
      return loadRuleCases(file, (given, report) => settleCase(given, plan, report)).map((one) => ({ ...one, file }))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      hasMistakes = true
      printProblems(error, terminal)
      return []
    }
  })
  return hasMistakes ? undefined : cases
}

/** What was expected, what came out, and why. */
function formatSurprise({ settled, place, position, file }: FileCase, trial: Trial, { paintOutput }: Terminal): string[] {
  const { name, server, principal, ask } = settled
  const clean = escapeControlCharacters
  const where = position === undefined ? place : `${place}, line ${position.line}`
  const what = 'operation' in ask ? `${ask.operation.kind} ${ask.operation.name}` : `a list of each ${ask.list.replace('_', ' ')}`
  return [
    paintOutput('bold', clean(`${file}, ${where}${name === undefined ? '' : `: ${name}`}`)),
    ...wrapHanging(`  ${clean(`${what} of server ${server.name}; ${formatPrincipal(principal)}`)}`, 4),
    paintOutput('green', clean(`  - expected: ${trial.expected}`)),
    paintOutput('red', clean(`  + got:      ${trial.got}`)),
    ...trial.explanations.flatMap((explanation) => [
      ...wrapHanging(`  ${clean(formatReason(explanation))}`, 4),
      ...formatSteps(explanation.steps, paintOutput, clean),
    ]),
    '',
  ]
}

function formatReason({ decision, steps, item }: Trial['explanations'][number]): string {
  const reason = decision.effect === 'permit' ? 'Permitted: nothing stands in the way.' : `Refused${formatWhy(decision, steps)}.`
  return item === undefined ? reason : `${item.name} is ${item.isShown ? '' : 'not '}shown. Used without arguments: ${reason}`
}

function formatWarning(words: string): string[] {
  return wrapHanging(`No case exercises ${words}`, 2)
}
