import { ConfigError, type Mistake, problemAt } from '../problem/problem.ts'
import { readBoundedText } from './bounded-file.ts'
import { explainReadError, findReadFailure, type ReadFailure } from './read-failure.ts'
import { readYaml, type YamlText } from './yaml-text.ts'

/** Longest configuration file, in bytes. */
const MAX_BYTES = 1_048_576

/** Reads YAML and does something with it; the mistakes that come out get their place in the text. */
export function withPositions<T>(text: string, use: (value: unknown, findPosition: YamlText['findPosition']) => T): T {
  const { value, findPosition } = readYaml(text)
  try {
    return use(value, findPosition)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.problems.map((problem) => ({ ...problem, ...optionalPosition(findPosition(problem.at)) })))
  }
}

/**
 * Loads something from a file; the mistakes that come out know its name.
 *
 * @param missing - what to do where there is no such file
 */
export function inFile<T>(file: string, use: (text: string) => T, missing = NAME_A_FILE): T {
  const text = readConfigFile(file, missing)
  try {
    return use(text)
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(error.problems, file) : error
  }
}

/**
 * The text of a configuration file.
 *
 * @throws ConfigError when it cannot be read
 */
export function readConfigFile(file: string, missing = NAME_A_FILE): string {
  try {
    return readBoundedText(file, MAX_BYTES)
  } catch (error) {
    throw new ConfigError([problemAt([], describeUnreadable(error, missing))], file)
  }
}

const NAME_A_FILE = 'Name an existing file. `open-mcp-auth-proxy init` writes a configuration.'
const CHECK_PERMISSIONS = 'Check its path and permissions.'

const FIXES: Readonly<Record<Exclude<ReadFailure, 'missing' | 'directory'>, string>> = {
  forbidden: CHECK_PERMISSIONS,
  not_utf8: 'Save it as UTF-8. An editor on Windows may have saved it as UTF-16 ("Unicode") or in another code page.',
  too_long: 'Check that it is the configuration.',
  other: CHECK_PERMISSIONS,
}

function describeUnreadable(error: unknown, missing: string): Mistake {
  const reason = `the file cannot be read (${explainReadError(error)})`
  const kind = findReadFailure(error)
  return { reason, fix: kind === 'missing' || kind === 'directory' ? missing : FIXES[kind] }
}

function optionalPosition(position: { line: number; column: number } | undefined) {
  return position === undefined ? {} : { position }
}
