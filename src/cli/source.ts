import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Loaded, loadConfigFile, loadConfigValue } from '../config/load.ts'
import { ConfigError, type ConfigPath, formatPath, namePlace, type Place, renameProblems } from '../config/problem/problem.ts'
import type { Override } from '../config/source/overrides.ts'
import { isObject } from '../core/is-object.ts'
import type { Arguments } from './arguments.ts'
import type { FlagName } from './flags.ts'
import { UsageError } from './usage-error.ts'

/** Where a configuration comes from. */
export interface Source {
  /** For people: the file's name, or "the command line". */
  readonly name: string
  /** Absolute path; undefined where it is not read from a file. */
  readonly file: string | undefined
  /** A file that lies at the usual place and is not used. */
  readonly ignoredFile: string | undefined
  /**
   * Loads the configuration.
   *
   * @param port - to listen on instead of the configured one
   * @param sandboxPort - of the sandbox of `--demo`, instead of the one beside it
   * @throws ConfigError
   */
  readonly load: (port?: number, sandboxPort?: number) => Loaded
}

/** What the process says about where it runs. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly directory: string
  /** Whether the log goes to a terminal. */
  readonly terminal: boolean
}

const DEFAULT_FILE = 'config.yaml'

/** Flags that describe a configuration, and so cannot stand beside a file. */
const DESCRIBING: readonly FlagName[] = ['upstream', 'issuer', 'path', 'transport', 'audience', 'scope']

/** Our places, and the flags that say the same. */
const PLACES: readonly Place[] = [
  [/^public_url/, '--public-url'],
  [/^listen\.port/, '--port'],
  [/^listen\.host/, '--host'],
  [/^(?:servers\[0\]\.)?issuers/, '--issuer'],
  [/^servers\[0\]\.(?:sse\.)?upstream\.command/, '-- command'],
  [/^servers\[0\]\.(?:sse\.)?upstream/, '--upstream'],
  [/^servers\[0\]\.(?:sse\.)?(?:path|messages_path)/, '--path'],
  [/^servers\[0\]\.audience/, '--audience'],
  [/^servers\[0\]\.scopes/, '--scope'],
]

/**
 * Decides between a file and flags.
 *
 * @throws UsageError when the command line names both, or neither
 */
export function chooseSource(args: Arguments, environment: Environment): Source {
  const options = { ...environment, ...readBeside(args) }
  const file = args.values.get('config')?.[0]
  // Commands for operators need the file of the running proxy, and say with --issuer whom they mean.
  const describing = args.request ? [] : DESCRIBING.filter((name) => args.values.has(name)).map((name) => `--${name}`)
  if (args.server) describing.push('`-- command …`')
  if (file !== undefined && describing.length > 0) {
    throw new UsageError(`${describing[0]} cannot be used with --config: say it in the file.`)
  }
  const defaultFile = existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined
  if (describing.length > 0) return createFlagSource(args, options, defaultFile)
  const chosen = file ?? defaultFile
  if (chosen === undefined && environment.env[SERVERS_VARIABLE] !== undefined) return createEnvironmentSource(args, options)
  if (chosen === undefined) {
    throw new UsageError(`There is no config.yaml here. ${adviseOnSource(args)} See --help.`)
  }
  const { stdio, asgardeo, demo } = args
  return {
    name: chosen,
    file: resolve(environment.directory, chosen),
    ignoredFile: undefined,
    load: (port, sandboxPort) => loadConfigFile(chosen, { ...options, port, stdio, asgardeo, demo, sandboxPort }),
  }
}

type Options = Parameters<typeof loadConfigValue>[1]

function createFlagSource(args: Arguments, options: Options, ignoredFile: string | undefined): Source {
  if (args.asgardeo)
    throw new UsageError('--asgardeo is for a file of the Go proxy, which names the organization and its credentials.')
  if (args.stdio) throw new UsageError('--stdio is for a file of the Go proxy: behind `--` the command says everything.')
  const described = describeConfig(args)
  const flags = [...described, ...(options.flags ?? [])]
  const { demo } = args
  return {
    name: 'the command line',
    file: undefined,
    ignoredFile,
    load: (port, sandboxPort) => loadFlags({ ...options, flags, port, demo, sandboxPort }),
  }
}

/** A proxy that runs already has a configuration. */
function adviseOnSource({ command, demo }: Arguments): string {
  if (ABOUT_RUNNING.has(command)) return 'Name the configuration of the running proxy with --config.'
  const wanted = demo ? '--upstream (or `-- command …` at the end)' : '--upstream and --issuer'
  return `Name a file, have \`init\` write one, or give ${wanted}.`
}

const ABOUT_RUNNING: ReadonlySet<Arguments['command']> = new Set(['users', 'clients', 'sessions', 'keys', 'reload'])

/** Names the MCP servers, without which there is no configuration: with it, the environment can say all of it. */
const SERVERS_VARIABLE = 'OMAP_SERVERS'

function createEnvironmentSource({ demo }: Arguments, options: Options): Source {
  return {
    name: 'the environment',
    file: undefined,
    ignoredFile: undefined,
    load: (port, sandboxPort) => loadConfigValue({}, { ...options, port, demo, sandboxPort }),
  }
}

/** What counts beside a file and instead of one: flags, and the environment. */
function readBeside(args: Arguments): Pick<Options, 'flags' | 'readsEnvironmentKeys' | 'secrets'> {
  const { values, debug, noSecrets } = args
  const one = (name: FlagName) => values.get(name)?.[0]
  const said: readonly (readonly [at: ConfigPath, value: unknown, name: string])[] = [
    [['public_url'], one('public-url'), '--public-url'],
    [['listen', 'host'], one('host'), '--host'],
    [['listen', 'port'], readPort(one('port')), '--port'],
    [['log', 'format'], readLogFormat(one('log-format')), '--log-format'],
    [['log', 'level'], debug ? 'debug' : undefined, '--debug'],
  ]
  return {
    flags: said.flatMap(([at, value, name]) => (value === undefined ? [] : [{ at, value, name }])),
    readsEnvironmentKeys: true,
    secrets: noSecrets ? 'stand_in' : undefined,
  }
}

function readLogFormat(format: string | undefined): string | undefined {
  if (format === undefined || format === 'json' || format === 'pretty' || format === 'auto') return format
  throw new UsageError('--log-format is json, pretty or auto.')
}

function readPort(text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d{1,5}$/.test(text)) throw new UsageError('--port is a number up to 65535.')
  return text === undefined ? undefined : Number(text)
}

function loadFlags(options: Options): Loaded {
  try {
    return loadConfigValue({}, options)
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(renameProblems(error.problems, PLACES)) : error
  }
}

/** The configuration that flags describe. */
function describeConfig({ values, server, demo }: Arguments): readonly Override[] {
  const one = (name: FlagName) => values.get(name)?.[0]
  const upstream = one('upstream')
  if (upstream !== undefined && server) throw new UsageError('Give --upstream or `-- command …`, not both.')
  if (upstream === undefined && !server)
    throw new UsageError('--upstream URL (or `-- command …` at the end) is missing: the MCP server.')
  if (demo && values.has('issuer')) throw new UsageError('--issuer and --demo name two places to sign users in.')
  if (!demo && !values.has('issuer')) throw new UsageError('--issuer URL is missing: whose access tokens are accepted.')
  const endpoint = server
    ? describeProcess(server, one('path'), one('transport'))
    : describeEndpoint(upstream ?? '', one('path'), one('transport'))
  const described = { ...endpoint, audience: values.get('audience') ?? [], scopes: values.get('scope') ?? [] }
  return [
    ...(demo ? [] : [{ at: ['issuers'], value: values.get('issuer'), name: '--issuer' }]),
    ...listOverrides(described, ['servers', 0]),
  ]
}

/** Each key by itself, so that each has the name of its flag. */
function listOverrides(described: unknown, at: ConfigPath): Override[] {
  if (isObject(described) && Object.keys(described).length > 0)
    return Object.entries(described).flatMap(([key, value]) => listOverrides(value, [...at, key]))
  return [{ at, value: described, name: namePlace(formatPath(at), PLACES) ?? '--upstream' }]
}

/** A process serves both transports, unless one is asked for. */
function describeProcess(command: readonly string[], path: string | undefined, transport: string | undefined): object {
  checkTransport(transport)
  const upstream = { command }
  if (transport === 'sse') return { sse: { path: path ?? '/sse', upstream } }
  return { path: path ?? '/mcp', upstream, ...(transport === undefined ? { sse: {} } : {}) }
}

function checkTransport(transport: string | undefined): void {
  if (transport !== undefined && transport !== 'sse' && transport !== 'streamable_http') {
    throw new UsageError('--transport is sse or streamable_http.')
  }
}

function describeEndpoint(upstream: string, path: string | undefined, transport: string | undefined): object {
  checkTransport(transport)
  const url = URL.parse(upstream)
  const own = url !== null && /^https?:$/.test(url.protocol) ? url.pathname.replace(/\/$/, '') : ''
  const isSse = transport === undefined ? own.endsWith('/sse') : transport === 'sse'
  if (isSse) return { sse: { path: path ?? (own || '/sse'), upstream } }
  return { path: path ?? (own || '/mcp'), upstream }
}
