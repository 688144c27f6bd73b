import { run } from '../../src/cli/run.ts'
import type { Environment } from '../../src/cli/source.ts'

/** What a command has printed, and its exit code. */
export interface CommandResult {
  readonly code: number
  readonly output: string
  readonly error: string
}

/** Runs a command of the command line in this process, with streams that are no terminals. */
export async function runCommand(argv: readonly string[], environment: Partial<Environment> = {}): Promise<CommandResult> {
  const printed: string[] = []
  const told: string[] = []
  const paint = (_style: string, text: string) => text
  const terminal = {
    print: (line: string) => void printed.push(`${line}\n`),
    tell: (line: string) => void told.push(`${line}\n`),
    columns: undefined,
    paintOutput: paint,
    paintError: paint,
  }
  const code = await run(argv, { env: {}, directory: process.cwd(), terminal: false, ...environment }, terminal)
  return { code, output: printed.join(''), error: told.join('') }
}
