/**
 * The public API of the package: load a configuration, start a proxy, stop it.
 *
 * @example
 * import { ConfigError, loadConfigFile, startProxy } from 'open-mcp-auth-proxy'
 *
 * const { plan, notices } = loadConfigFile('config.yaml')
 * for (const notice of notices) console.error(notice)
 * const proxy = await startProxy(plan)
 * process.once('SIGTERM', () => proxy.close())
 */

import { type Loaded, loadConfigFile as loadFile, loadConfigValue as loadValue } from './config/load.ts'
import type { Plan } from './core/plan/plan.ts'

// biome-ignore lint/performance/noBarrelFile: the one entry of the package, which nothing in it imports
export { type RunningProxy, type StartOptions, startProxy } from './app.ts'
export { ConfigError, type ConfigPath, type Problem } from './config/problem/problem.ts'
export type { ReloadReport } from './core/reload-report.ts'
export type { OnEvent, SecurityEvent } from './core/security-event.ts'

/** Where a configuration is used. */
export interface ConfigOptions {
  /** Environment variables that hold secrets; those of the process by default. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Directory against which relative paths in the configuration are resolved; the working directory by default. */
  readonly directory?: string
  /**
   * Listens on this port instead of the configured one. Port 0 needs a `public_url`: without it, the port is part of the URL that clients
   * are told.
   */
  readonly port?: number
}

/** A configuration without mistakes. */
export interface LoadedConfig {
  /** What `startProxy` takes. Frozen. */
  readonly plan: Plan
  /** What the operator should know at the start, one line each. */
  readonly notices: readonly string[]
}

export type { Plan }

/**
 * Loads a configuration file (YAML or JSON, of this package's format or of the Go proxy's). Relative paths in it are resolved against
 * its directory. Reads the files and environment variables that it names; asks nothing over the network.
 *
 * @param file - path of the file
 * @throws ConfigError with every mistake, also when the file cannot be read
 */
export function loadConfigFile(file: string, options: Omit<ConfigOptions, 'directory'> = {}): LoadedConfig {
  return pick(loadFile(file, { ...options, env: options.env ?? process.env, terminal: false }))
}

/**
 * Loads a configuration from a value: what the file would hold, as an object.
 *
 * @param value - see docs/configuration.md
 * @throws ConfigError with every mistake
 */
export function loadConfig(value: unknown, options: ConfigOptions = {}): LoadedConfig {
  const { env = process.env, directory = process.cwd(), port } = options
  return pick(loadValue(value, { env, directory, port, terminal: false }))
}

function pick({ plan, notices }: Loaded): LoadedConfig {
  return { plan, notices }
}
