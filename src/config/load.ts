import { dirname, resolve } from 'node:path'
import type { LogPlan, Plan } from '../core/plan.ts'
import { checkConfig } from './checks.ts'
import { readConfigFile, withPositions } from './config-file.ts'
import { isGoProxyConfig, translateGoProxy } from './go-proxy.ts'
import { createPlan } from './plan.ts'
import { ConfigError, problemAt } from './problem.ts'
import type { Config } from './schema.ts'

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
  /** Users sign in at the sandbox of a Go proxy file, whatever else it names. */
  readonly demo?: boolean | undefined
  /** Listens on this port instead of the one of the file. */
  readonly port?: number | undefined
}

/** A settled configuration. */
export interface Loaded {
  readonly plan: Plan
  /** The notices of the plan: what the operator should know at the start, one line each. */
  readonly notices: readonly string[]
}

/**
 * Loads a configuration file, of our format or of the Go proxy's. Relative paths in it are resolved against its directory.
 *
 * @param file - YAML or JSON
 * @throws ConfigError with every mistake
 */
export function loadConfigFile(file: string, options: Omit<LoadOptions, 'directory'>): Loaded {
  return loadConfigText(readConfigFile(file), { ...options, directory: dirname(resolve(file)) })
}

/** Loads a configuration from the text of a file. See {@link loadConfigFile}. */
export function loadConfigText(text: string, options: LoadOptions): Loaded {
  return withPositions(text, (value) => loadConfigValue(value, options))
}

/** Loads a configuration from a value. See {@link loadConfigFile}. */
export function loadConfigValue(value: unknown, options: LoadOptions): Loaded {
  const translation = isGoProxyConfig(value) ? translateGoProxy(options.stdio ? asProcess(value) : value, options) : undefined
  const { config, material } = translation ? translation.check(options) : checkConfig(value, options)
  if (options.asgardeo === true && config.identity_provider?.kind !== 'asgardeo') throw new ConfigError([NO_ASGARDEO])
  if (options.demo === true && translation === undefined) throw new ConfigError([NO_DEMO])
  const notices = translation?.notices ?? []
  const plan = createPlan(override(config, options), { ...options, material, notices })
  return { plan, notices: plan.notices }
}

const NO_ASGARDEO = problemAt(['identity_provider'], {
  reason: 'is not Asgardeo, which `--asgardeo` asks for',
  fix: 'Write `kind: asgardeo` with `organization` and `admin`, and leave the flag out.',
})

const NO_DEMO = problemAt([], {
  reason: 'this is not a configuration of the Go proxy, whose `demo` block `--demo` asks for',
  fix: 'Leave the flag out. `npm run demo` in the repository tries the proxy with nothing set up.',
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
