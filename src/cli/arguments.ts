import { parseArgs } from 'node:util'
import { findNearest } from '../core/nearest-word.ts'
import { type Command, findCommand } from './command-names.ts'
import { FLAGS, type FlagName, INIT_FLAGS } from './flags.ts'
import { type OperatorRequest, readOperatorRequest } from './operator-request.ts'
import { UsageError } from './usage-error.ts'

/** What the command line asks for. */
export interface Arguments {
  readonly command: Command | 'help' | 'version'
  /** The command that help is wanted for. */
  readonly topic?: string | undefined
  /** Values of flags that take one, in the order given. */
  readonly values: ReadonlyMap<FlagName, readonly string[]>
  readonly debug: boolean
  /** Whether the MCP server of the file is a process. */
  readonly stdio: boolean
  /** Whether users sign in at the Asgardeo of the file. */
  readonly asgardeo: boolean
  /** Whether users sign in at a sandbox: that of the file, or our own. */
  readonly demo: boolean
  /** What stands behind `--`: the command that starts the MCP server. */
  readonly server: readonly string[] | undefined
  /** The file of `migrate` or `init`. */
  readonly file: string | undefined
  /** The files with cases of `rules test`, or those of `audit verify`. */
  readonly files: readonly string[] | undefined
  /** Whether a server is added to a file that is there. */
  readonly add: boolean
  /** Whether the result is wanted as JSON. */
  readonly json: boolean
  /** Whether the configuration is checked where its secrets are not. */
  readonly noSecrets: boolean
  /** Whether new tokens are refused as well. */
  readonly block: boolean
  /** What the running proxy is asked to do. */
  readonly request: OperatorRequest | undefined
  /** Whether the audit log is still written. */
  readonly open: boolean
  /** Whether an access key is for the configuration file, and not for the store. */
  readonly entry: boolean
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

/**
 * Reads the command line.
 *
 * @param argv - without program and script
 * @throws UsageError
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const [own, server] = splitAtDashes(argv)
  const options = Object.fromEntries(FLAGS.map(({ name, value }) => [name, { type: value ? 'string' : 'boolean' } as const]))
  const { tokens } = parseArgs({
    args: own.map(addDash),
    options: { ...options, h: { type: 'boolean' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const given = tokens.filter((token) => token.kind === 'option')
  checkServerCommand(tokens, own)
  const flags = new Map(given.map((token) => [checkName(token), token]))
  // Before the command: behind a flag whose value is missing, the next flag's value would be taken for one.
  readValues(given)
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const [word] = words
  const topic = words.find((one) => one !== 'help' && one !== 'version')
  if (flags.has('help')) return { ...nothing, command: 'help', topic }
  if (word === 'help') return { ...nothing, command: 'help', topic: topic && findCommand(topic) }
  if (flags.has('version') || word === 'version') return { ...nothing, command: 'version' }
  const read = { ...readCommand(tokens, given), server }
  if (server && !isConfigured(read.command) && read.command !== 'init')
    throw new UsageError(`The command ${read.command} takes no \`-- command …\`.`)
  return read
}

const nothing = {
  values: new Map(),
  debug: false,
  stdio: false,
  asgardeo: false,
  demo: false,
  server: undefined,
  file: undefined,
  files: undefined,
  add: false,
  json: false,
  noSecrets: false,
  block: false,
  request: undefined,
  open: false,
  entry: false,
}

/** Everything after `--` belongs to the MCP server's command, flags included. */
function splitAtDashes(argv: readonly string[]): readonly [own: readonly string[], server: readonly string[] | undefined] {
  const at = argv.indexOf('--')
  if (at < 0) return [argv, undefined]
  const server = argv.slice(at + 1)
  if (server.length === 0 || server[0] === '')
    throw new UsageError('Behind -- the command is missing that starts the MCP server.')
  return [argv.slice(0, at), server]
}

/** What starts MCP servers. Where `--` is missing before it, its flags would be taken for ours. */
const LAUNCHER = /^(?:npx|bunx|uvx?|node|python3?|deno|docker|java)$/

function checkServerCommand(tokens: readonly Token[], own: readonly string[]): void {
  const first = tokens.find(({ kind }) => kind === 'positional')
  if (first?.kind !== 'positional' || !LAUNCHER.test(first.value)) return
  const unknown = tokens.find((token): token is OptionToken => token.kind === 'option' && !isKnown(token))
  const what = unknown === undefined ? `command ${JSON.stringify(first.value)}` : `flag ${unknown.rawName}`
  const command = own.slice(first.index).join(' ')
  throw new UsageError(`Unknown ${what}. The command that starts the MCP server goes behind --: \`-- ${command}\`.`)
}

function isKnown(token: OptionToken): boolean {
  return token.name === 'h' || FLAGS.some(({ name }) => name === token.name)
}

/** Go's flag package takes one dash for two. */
function addDash(argument: string): string {
  return /^-[a-z][\w-]+/.test(argument) ? `-${argument}` : argument
}

function checkName(token: OptionToken): FlagName {
  if (token.name === 'h') return 'help'
  const flag = FLAGS.find(({ name }) => name === token.name)
  if (flag) return flag.name
  if (/^v$/i.test(token.name)) throw new UsageError('Unknown flag -v. --version prints the version, --debug logs more.')
  const nearest = findNearest(
    token.name,
    FLAGS.map(({ name }) => name),
  )
  throw new UsageError(`Unknown flag ${token.rawName}.${nearest === undefined ? ' See --help.' : ` Did you mean --${nearest}?`}`)
}

function readCommand(tokens: readonly Token[], given: readonly OptionToken[]): Omit<Arguments, 'server'> {
  const [word = 'serve', ...rest] = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const command = findCommand(word)
  const files = command === 'rules' ? readCaseFiles(rest) : command === 'audit' ? readAuditFiles(rest) : undefined
  const request = readOperatorRequest(command, rest)
  const [file, ...surplus] = files || request ? [] : TAKING_FILE.has(command) ? rest : [undefined, ...rest]
  if (command === 'migrate' && file === undefined) throw new UsageError('Name the file to translate: migrate config.yaml.')
  if (surplus.length > 0) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus[0])}. See --help.`)
  checkFlags(command, given)
  const isSet = (name: FlagName) => given.some((token) => checkName(token) === name && isOn(token))
  const switches = {
    debug: isSet('debug'),
    stdio: isSet('stdio'),
    asgardeo: isSet('asgardeo'),
    demo: isSet('demo'),
    add: isSet('add'),
    json: isSet('json'),
    noSecrets: isSet('no-secrets'),
    block: isSet('block'),
    open: isSet('open'),
    entry: isSet('entry'),
  }
  if (switches.asgardeo && switches.demo) throw new UsageError('--asgardeo and --demo name two places to sign users in.')
  return { command, values: resolveFile(command, file, readValues(given)), ...switches, file, files, request }
}

/** `rules test FILE…` */
function readCaseFiles([word, ...files]: readonly string[]): readonly string[] {
  return checkFiles('test', word, files, 'Name the files with cases: rules test FILE….')
}

/** `audit verify FILE…` */
function readAuditFiles([word, ...files]: readonly string[]): readonly string[] {
  return checkFiles('verify', word, files, 'Name the files of the audit log: audit verify FILE….')
}

function checkFiles(verb: string, word: string | undefined, files: readonly string[], advice: string): readonly string[] {
  if (word !== undefined && word !== verb) throw new UsageError(`Unknown word ${JSON.stringify(word)}. ${advice}`)
  if (files.length === 0) throw new UsageError(advice)
  return files
}

const TAKING_FILE: ReadonlySet<string> = new Set(['serve', 'check', 'doctor', 'explain', 'migrate', 'init', 'reload'])

/** `check FILE` is short for `check --config FILE`. */
function resolveFile(command: string, file: string | undefined, values: Map<FlagName, string[]>): Map<FlagName, string[]> {
  if (!isConfigured(command) || file === undefined) return values
  if (values.has('config')) throw new UsageError(`Unexpected argument ${JSON.stringify(file)} beside --config.`)
  return values.set('config', [file])
}

/** Whether a command works on a configuration, from a file or from flags. */
function isConfigured(command: string): boolean {
  return CONFIGURED.has(command)
}

const CONFIGURED: ReadonlySet<string> = new Set([
  'serve',
  'check',
  'doctor',
  'explain',
  'rules',
  'reload',
  'users',
  'clients',
  'sessions',
  'keys',
])

/** Commands that take flags of their own, and work on no configuration. */
const TAKING_FLAGS: ReadonlySet<string> = new Set(['init', 'audit'])

function checkFlags(command: string, given: readonly OptionToken[]): void {
  const [first] = given
  if (first && !isConfigured(command) && !TAKING_FLAGS.has(command))
    throw new UsageError(`The command ${command} takes no flags, but --${first.name} was given.`)
  for (const { name } of given) {
    const only = FLAGS.find((flag) => flag.name === name)?.only
    if (only !== undefined && !only.some((one) => one === command))
      throw new UsageError(`--${name} is for the command${only.length > 1 ? 's' : ''} ${formatNames(only)}.`)
    if (given.some((token) => token.name === 'add') && !ADD_FLAGS.has(name))
      throw new UsageError(`--${name} is for a new file, and --add keeps one that is there.`)
    if (command === 'audit' && only === undefined) throw new UsageError(`--${name} means nothing to audit verify.`)
    if (command === 'init' && only === undefined && !INIT_FLAGS.some((flag) => flag === name))
      throw new UsageError(`--${name} is no answer to a question of init.`)
  }
}

/** What `init --add` asks for, beside the command behind `--`. */
const ADD_FLAGS: ReadonlySet<string> = new Set(['add', 'upstream', 'scope'])

function readValues(given: readonly OptionToken[]): Map<FlagName, string[]> {
  const values = new Map<FlagName, string[]>()
  for (const token of given) {
    const flag = FLAGS.find(({ name }) => name === token.name)
    if (!flag?.value) continue
    const before = values.get(flag.name) ?? []
    if (before.length > 0 && !flag.repeats) throw new UsageError(`--${flag.name} is given twice.`)
    values.set(flag.name, [...before, checkValue(token)])
  }
  return values
}

function checkValue(token: OptionToken): string {
  const { name, value = '' } = token
  const isFlag = !token.inlineValue && /^-./.test(value)
  const isUnknown = isFlag && FLAGS.every((flag) => flag.name !== value.replace(/^-+|=.*$/g, ''))
  const hint = isUnknown ? ` Write one that begins with a dash behind an equals sign: --${name}=….` : ''
  if (value === '' || isFlag) throw new UsageError(`--${name} needs a value.${hint}`)
  return value
}

/** `--debug`, and `--debug=false` as Go's flag package takes it. */
function isOn(token: OptionToken): boolean {
  if (token.value === undefined) return true
  if (/^(?:1|t|true)$/i.test(token.value)) return true
  if (/^(?:0|f|false)$/i.test(token.value)) return false
  throw new UsageError(`--${token.name} is on or off and takes no value.`)
}

/** `a`, `a and b`, `a, b and c`. */
function formatNames(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}
