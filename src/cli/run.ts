import { ConfigError } from '../config/problem/problem.ts'
import { readVersion } from '../core/version.ts'
import { AdminError } from './admin-client.ts'
import { type Arguments, parseArguments } from './arguments.ts'
import { printCheck, printErrors, printMigration, printSchema } from './commands.ts'
import { runDoctor } from './doctor.ts'
import { formatCommandHelp, formatHelp } from './help.ts'
import { runInit } from './init/init.ts'
import { WriteFailure } from './init/write-failure.ts'
import { printProblems } from './problem-lines.ts'
import { runReload } from './reload.ts'
import { serve } from './serve.ts'
import { chooseSource, type Environment } from './source.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/**
 * Runs a command.
 *
 * @param argv - without program and script
 * @returns the exit code; `docs/configuration.md` lists them
 */
export async function run(argv: readonly string[], environment: Environment, terminal: Terminal): Promise<number> {
  try {
    return await runCommand(parseArguments(argv), environment, terminal)
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.tell(`${terminal.paintError('red', 'error')} ${error.message}`)
      return 2
    }
    if (error instanceof AdminError || error instanceof WriteFailure) {
      terminal.tell(`${terminal.paintError('red', 'error')} ${error.message}`)
      return 1
    }
    if (!(error instanceof ConfigError)) throw error
    printProblems(error, terminal)
    return 2
  }
}

async function runCommand(args: Arguments, environment: Environment, terminal: Terminal): Promise<number> {
  switch (args.command) {
    case 'help':
      terminal.print(formatCommandHelp(args.topic) ?? formatHelp())
      return 0
    case 'version':
      terminal.print(readVersion())
      return 0
    case 'schema':
      printSchema(terminal)
      return 0
    case 'errors':
      printErrors(terminal)
      return 0
    case 'migrate':
      printMigration(args.file ?? '', terminal)
      return 0
    case 'check':
      printCheck(chooseSource(args, environment), terminal)
      return 0
    case 'init':
      return runInit(args, environment.env, terminal)
    case 'doctor':
      return runDoctor(args, chooseSource(args, environment), terminal)
    case 'explain':
      return (await import('./explain.ts')).runExplain(args, chooseSource(args, environment), terminal)
    case 'rules':
      return (await import('./rule-tests.ts')).runRuleTests(args.files ?? [], chooseSource(args, environment), terminal)
    case 'users':
    case 'clients':
    case 'sessions':
      return (await import('./operate.ts')).runOperator(args, chooseSource(args, environment), terminal)
    case 'keys':
      return (await import('./keys.ts')).runKeys(args, () => chooseSource(args, environment), terminal)
    case 'reload':
      return runReload(chooseSource(args, environment), terminal)
    case 'audit':
      return (await import('./audit.ts')).runAuditVerify(args, terminal)
    case 'serve':
      return serve(chooseSource(args, environment), terminal, environment.env)
  }
}
