import type { Arguments } from './arguments.ts'
import { formatReport } from './doctor-report.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { readToken } from './token-file.ts'
import { UsageError } from './usage-error.ts'

/**
 * `doctor`: looks at everything that the configuration refers to.
 *
 * @returns the exit code: 0 when there is no problem, 1 when there is one
 * @throws UsageError, ConfigError
 */
export async function runDoctor(args: Arguments, source: Source, terminal: Terminal): Promise<0 | 1> {
  const { plan, sandboxPort } = source.load()
  if (sandboxPort !== undefined)
    throw new UsageError('--demo starts its authorization server with the proxy: there is nothing for doctor to probe yet.')
  const [from] = args.values.get('token') ?? []
  const token = from === undefined ? undefined : readToken(from)
  // Loaded only now: the other commands need none of it.
  const { examine } = await import('../doctor/doctor.ts')
  const report = await examine(plan, token)
  if (args.json) terminal.print(JSON.stringify(report, null, 2))
  else for (const line of formatReport(report, source.name, terminal.paintOutput)) terminal.print(line)
  return report.findings.some(({ verdict }) => verdict === 'problem') ? 1 : 0
}
