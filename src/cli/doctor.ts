import { closeSync, openSync, readSync } from 'node:fs'
import { type Arguments, UsageError } from './arguments.ts'
import { formatReport } from './doctor-report.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'

/** Longer ones are refused by every server, too. */
const MAX_BYTES = 16 * 1024

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

/** @throws UsageError which never holds what was read */
function readToken(from: string): string {
  const token = readStart(from)
    .trim()
    .replace(/^Bearer +/i, '')
  if (token === '') throw new UsageError('--token: the file contains no token.')
  if (/\s/.test(token)) throw new UsageError('--token: the file contains more than one token.')
  return token
}

function readStart(from: string): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  try {
    const file = from === '-' ? 0 : openSync(from, 'r')
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    if (from !== '-') closeSync(file)
  } catch (error) {
    throw new UsageError(
      `--token: cannot be read (${error instanceof Error && 'code' in error ? error.code : 'unknown error'}). It takes the name of a file, or - for standard input.`,
    )
  }
  if (length > MAX_BYTES) throw new UsageError('--token: more than 16 KiB, which no token has.')
  return bytes.toString('utf8', 0, length)
}
