import { randomBytes } from 'node:crypto'
import { existsSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { loadConfigFile, loadConfigText } from '../../config/load.ts'
import { ConfigError } from '../../config/problem/problem.ts'
import type { Plan } from '../../core/plan/plan.ts'
import type { Arguments } from '../arguments.ts'
import type { Environment } from '../source.ts'
import type { Terminal } from '../terminal.ts'
import { UsageError } from '../usage-error.ts'
import { addServer } from './add-server.ts'
import type { Answers } from './answers.ts'
import { askIssuers } from './ask-issuers.ts'
import { BROKER_KEY, formatConfig, nameSecret } from './config-text.ts'
import { formatNextSteps } from './next-steps.ts'
import { askQuestions, Interrupted } from './questions.ts'
import { explainWriteFailure } from './write-failure.ts'

const DEFAULT_FILE = 'config.yaml'

/**
 * `init`: asks a few questions and writes a configuration file. Nothing is written before the last answer.
 *
 * @returns the exit code: 0 when the file is written, 1 when the questions were broken off
 * @throws UsageError when a file is there already, or for an answer that cannot be; ConfigError for answers that don't go together;
 *   WriteFailure when the system refuses to write
 */
export async function runInit(args: Arguments, env: Environment['env'], terminal: Terminal): Promise<0 | 1> {
  const file = args.file ?? DEFAULT_FILE
  if (!args.add && existsSync(file)) throw alreadyThere(file)
  try {
    await (args.add ? addServer(args, file, env, terminal) : writeNew(args, file, terminal))
    return 0
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    terminal.tell('\nAborted; nothing was written.')
    return 1
  }
}

async function writeNew(args: Arguments, file: string, terminal: Terminal): Promise<void> {
  const answers = await askQuestions(args, terminal)
  const plan = writeConfig(file, answers)
  terminal.print(terminal.paintOutput('green', `${file} is written.`))
  for (const line of await askIssuers(plan)) terminal.tell(line)
  for (const line of formatNextSteps(answers, file)) terminal.print(line)
}

/** Loads what is to be written before it is written, and what was written. */
function writeConfig(file: string, answers: Answers): Plan {
  const text = formatConfig(answers)
  // The secrets are not made yet.
  const env = { [BROKER_KEY]: randomBytes(32).toString('base64'), [nameSecret(answers)]: 'not-known-yet' }
  loadConfigText(text, { env, terminal: false, directory: dirname(resolve(file)), mayHavePlaceholders: true })
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o644 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') throw alreadyThere(file)
    throw explainWriteFailure(file, error)
  }
  try {
    return loadConfigFile(file, { env, terminal: false, mayHavePlaceholders: true }).plan
  } catch (error) {
    unlinkSync(file)
    throw error instanceof ConfigError ? new UsageError(`${file} could not be read back; it is removed again.`) : error
  }
}

function alreadyThere(file: string): UsageError {
  return new UsageError(
    `${file} exists already, and is not overwritten. Name another file (init other.yaml), or add a server to it (init --add).`,
  )
}
