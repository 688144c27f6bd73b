import { dirname, resolve } from 'node:path'
import type { LogPlan, Plan } from '../core/plan/plan.ts'
import { type CheckedConfig, checkConfig } from './check/check-config.ts'
import { checkLoopbackOnly, resolveSandbox, useSandbox } from './check/demo.ts'
import { nameGoProxyPlace, withGoProxyKeyNames } from './go-proxy/key-names.ts'
import { isGoProxyConfig, translateGoProxy } from './go-proxy/translate.ts'
import { createPlan } from './plan/plan.ts'
import { ConfigError, problemAt } from './problem/problem.ts'
import type { Config } from './schema/schema.ts'
import { inFile, withPositions } from './source/config-file.ts'

/** Where a configuration is used. */
export interface LoadOptions {
  /** Environment variables that hold secrets. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory against which relative paths in the configuration are resolved. */
  readonly directory: string
  /** Whether the log goes to a terminal, for `log.format: auto`. */
  readonly terminal: boolean
  /** Said on the command line; overrides the file. */
  readonly log?: { readonly level?: LogPlan['level'] | undefined; readonly format?: LogPlan['format'] | undefined }
  /** The MCP server of a Go proxy file is a process, whatever its `transport_mode` says. */
  readonly stdio?: boolean | undefined
  /** Users sign in at the Asgardeo of a Go proxy file, whatever else it names. */
  readonly asgardeo?: boolean | undefined
  /**
   * Users sign in at the organization of the `demo` block of a Go proxy file; where there is none, at the sandbox that comes with the
   * proxy. Whatever else the file names.
   */
  readonly demo?: boolean | undefined
  /** Port of that sandbox, when the one beside the proxy's is taken. */
  readonly sandboxPort?: number | undefined
  /** Listens on this port instead of the one of the file. */
  readonly port?: number | undefined
}

/** A settled configuration. */
export interface Loaded {
  readonly plan: Plan
  /** The notices of the plan: what the operator should know at the start, one line each. */
  readonly notices: readonly string[]
  /** Port of 127.0.0.1 on which the sandbox is expected to sign users in; undefined where users sign in elsewhere. */
  readonly sandboxPort: number | undefined
}

/**
 * Loads a configuration file, of our format or of the Go proxy's. Relative paths in it are resolved against its directory.
 *
 * @param file - YAML or JSON
 * @throws ConfigError with every mistake
 */
export function loadConfigFile(file: string, options: Omit<LoadOptions, 'directory'>): Loaded {
  return inFile(file, (text) => loadConfigText(text, { ...options, directory: dirname(resolve(file)) }))
}

/** Loads a configuration from the text of a file. See {@link loadConfigFile}. */
export function loadConfigText(text: string, options: LoadOptions): Loaded {
  return withPositions(text, (value) => loadConfigValue(value, options))
}

/** Loads a configuration from a value. See {@link loadConfigFile}. */
export function loadConfigValue(value: unknown, options: LoadOptions): Loaded {
  const { checked, notices, isSandbox, namePlace } = isGoProxyConfig(value)
    ? loadGoProxy(value, options)
    : loadOurs(value, options)
  const { config, secretsAndFiles } = checked
  if (options.asgardeo === true && config.identity_provider?.kind !== 'asgardeo') throw new ConfigError([NO_ASGARDEO])
  const overridden = override(config, options)
  if (isSandbox) checkLoopbackOnly(overridden)
  const sandbox = isSandbox ? resolveSandbox(overridden, options.sandboxPort) : undefined
  const plan = createPlan(sandbox?.config ?? overridden, { ...options, secretsAndFiles, notices, namePlace })
  return { plan, notices: plan.notices, sandboxPort: sandbox?.port }
}

/** A configuration of whichever format, checked. */
interface Read {
  readonly checked: CheckedConfig
  readonly notices: readonly string[]
  /** Whether users sign in at the sandbox that comes with the proxy. */
  readonly isSandbox: boolean
  readonly namePlace?: (path: string) => string
}

function loadGoProxy(value: unknown, options: LoadOptions): Read {
  const { config, check, notices, isSandbox } = translateGoProxy(options.stdio ? asProcess(value) : value, options)
  if (isSandbox) withGoProxyKeyNames(() => checkLoopbackOnly(config))
  return { checked: check(options), notices, isSandbox, namePlace: nameGoProxyPlace }
}

function loadOurs(value: unknown, options: LoadOptions): Read {
  if (options.demo !== true) return { checked: checkConfig(value, options), notices: [], isSandbox: false }
  checkLoopbackOnly(value)
  const sandboxed = useSandbox(value)
  return { checked: checkConfig(sandboxed.value, options), notices: sandboxed.notices, isSandbox: true }
}

const NO_ASGARDEO = problemAt(['identity_provider'], {
  reason: 'is not Asgardeo, which `--asgardeo` asks for',
  fix: 'Write `kind: asgardeo` with `organization` and `admin`, and leave the flag out.',
})

/** What the Go proxy's flag `--stdio` did. A file of ours says it by itself. */
function asProcess(value: unknown): unknown {
  return { ...(value as object), transport_mode: 'stdio' }
}

function override(config: Config, { log, port }: LoadOptions): Config {
  return {
    ...config,
    listen: { ...config.listen, port: port ?? config.listen.port },
    log: { level: log?.level ?? config.log.level, format: log?.format ?? config.log.format },
  }
}
