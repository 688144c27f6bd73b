import { ConfigError, problemAt } from '../config/problem/problem.ts'
import { isObject } from '../core/is-object.ts'
import type { ReloadReport } from '../core/reload-report.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { AdminError, createAdminClient } from './admin-client.ts'
import { printProblems } from './problem-lines.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { wrapHanging } from './wrap.ts'

/**
 * `reload`: has the running proxy read its configuration anew.
 *
 * @returns the exit code: 0 when it is in force, 1 when it could not be put into force, 2 when it has mistakes, 3 when it needs a restart
 * @throws ConfigError, UsageError, AdminError
 */
export async function runReload(source: Source, terminal: Terminal): Promise<0 | 1 | 2 | 3> {
  const answer = await createAdminClient(source).call('/reload', { file: source.file })
  if (!isReport(answer)) throw new AdminError('What the proxy answered is no report of a reload. Is it of another version?')
  printReport(answer, terminal, answer.file)
  return EXIT_CODES[answer.outcome]
}

const EXIT_CODES = { reloaded: 0, failed: 1, shutting_down: 1, invalid: 2, restart_needed: 3 } as const

function isReport(value: unknown): value is ReloadReport & { readonly file?: string } {
  return isObject(value) && typeof value.outcome === 'string' && Object.hasOwn(EXIT_CODES, value.outcome)
}

/** Tells what came of a reload, and what to do. @param file - that was read, where it is known */
export function printReport(report: ReloadReport, terminal: Terminal, file?: string): void {
  const { tell, paintError } = terminal
  switch (report.outcome) {
    case 'reloaded':
      if (report.changed.length === 0)
        return tell(`Reloaded: nothing has changed${file === undefined ? '' : ` in ${escapeControlCharacters(file)}`}.`)
      tell(paintError('green', `Reloaded. The configuration has the digest ${report.digest} now. Changed:`))
      return tellAll(report.changed, terminal)
    case 'invalid':
      printProblems(new ConfigError(report.problems.map(toProblem), file && escapeControlCharacters(file)), terminal)
      return tell('Nothing was changed.')
    case 'restart_needed':
      tell(paintError('red', 'Nothing was changed. These settings need a restart:'))
      return tellAll(report.settings, terminal)
    case 'failed':
      return tell(`${paintError('red', 'Nothing was changed:')} ${report.reason}`)
    case 'shutting_down':
      return tell(paintError('red', 'Nothing was changed: the proxy is shutting down.'))
  }
}

function tellAll(lines: readonly string[], { tell }: Terminal): void {
  for (const line of lines) for (const part of wrapHanging(`  ${line}`, 4)) tell(part)
}

/** Over the admin listener came the path as people write it. */
function toProblem({ path, reason, fix, position }: Extract<ReloadReport, { outcome: 'invalid' }>['problems'][number]) {
  return { ...problemAt([path], { reason, fix }), path, ...(position && { position }) }
}
