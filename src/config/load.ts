import { dirname, resolve } from 'node:path'
import type { Plan } from '../core/plan/plan.ts'
import { type CheckedConfig, checkConfig } from './check/check-config.ts'
import { checkLoopbackOnly, resolveSandbox, useSandbox } from './check/demo.ts'
import { nameGoProxyPlace, withGoProxyKeyNames } from './go-proxy/key-names.ts'
import { isGoProxyConfig, translateGoProxy } from './go-proxy/translate.ts'
import { createPlan } from './plan/plan.ts'
import { ConfigError, formatPath, problemAt } from './problem/problem.ts'
import type { Config } from './schema/schema.ts'
import { inFile, withPositions } from './source/config-file.ts'
import { readEnvironmentKeys } from './source/environment-keys.ts'
import { applyOverrides, type Overridden, type Override, withOverrideNames } from './source/overrides.ts'
import { EMPTY } from './source/yaml-text.ts'

/** Where a configuration is used. */
export interface LoadOptions {
  /** Environment variables that hold secrets. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory against which relative paths in the configuration are resolved. */
  readonly directory: string
  /** Whether the log goes to a terminal, for `log.format: auto`. */
  readonly terminal: boolean
  /** Said on the command line: counts more than environment and file. */
  readonly flags?: readonly Override[]
  /** Whether variables of `env` say keys (`OMAP_…`), which count more than the file. */
  readonly readsEnvironmentKeys?: boolean
  /** `stand_in`: secrets and files are not read, and others stand for them. What is loaded then is for looking at only. */
  readonly secrets?: 'stand_in' | undefined
  /** Whether placeholders may stand where values of one's own belong, as in a file that `init` has just written. */
  readonly mayHavePlaceholders?: boolean
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
  /** Names of the flags and variables that count, and what they say: `listen.port`. */
  readonly overridden: readonly OverriddenKey[]
  /** Absolute paths of the files that the configuration refers to. */
  readonly paths: readonly string[]
}

/** A key that is said beside the file. */
export interface OverriddenKey {
  readonly key: string
  readonly name: string
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
  const { checked, overridden, notices, isSandbox, namePlace } = isGoProxyConfig(value)
    ? loadGoProxy(value, options)
    : loadOurs(value, options)
  const { secretsAndFiles } = checked
  if (options.asgardeo === true && checked.config.identity_provider?.kind !== 'asgardeo') throw new ConfigError([NO_ASGARDEO])
  const config = listenOn(checked.config, options.port)
  if (isSandbox) withOverrideNames(overridden, () => checkLoopbackOnly(config))
  const sandbox = isSandbox ? resolveSandbox(config, options.sandboxPort) : undefined
  const told = [...notices, ...listUnused(overridden)]
  const plan = createPlan(sandbox?.config ?? config, { ...options, secretsAndFiles, notices: told, namePlace })
  return {
    plan,
    notices: plan.notices,
    sandboxPort: sandbox?.port,
    overridden: listOverridden(overridden),
    paths: secretsAndFiles.paths,
  }
}

/** A configuration of whichever format, checked. */
interface Read {
  readonly checked: CheckedConfig
  readonly overridden: Overridden
  readonly notices: readonly string[]
  /** Whether users sign in at the sandbox that comes with the proxy. */
  readonly isSandbox: boolean
  readonly namePlace?: (path: string) => string
}

function loadGoProxy(value: unknown, options: LoadOptions): Read {
  const { config, check, notices, isSandbox } = translateGoProxy(options.stdio ? asProcess(value) : value, options)
  const overridden = override(config, options)
  if (isSandbox) withGoProxyKeyNames(() => withOverrideNames(overridden, () => checkLoopbackOnly(overridden.value)))
  return { checked: check(overridden, options), overridden, notices, isSandbox, namePlace: nameGoProxyPlace }
}

function loadOurs(value: unknown, options: LoadOptions): Read {
  const overridden = override(value, options)
  const check = (written: unknown) => withOverrideNames(overridden, () => checkConfig(written, options))
  if (options.demo !== true) return { checked: check(overridden.value), overridden, notices: [], isSandbox: false }
  const sandboxed = withOverrideNames(overridden, () => {
    checkLoopbackOnly(overridden.value)
    return useSandbox(overridden.value)
  })
  return { checked: check(sandboxed.value), overridden, notices: sandboxed.notices, isSandbox: true }
}

function override(value: unknown, { env, flags = [], readsEnvironmentKeys = false }: LoadOptions): Overridden {
  const overridden = applyOverrides(value, readsEnvironmentKeys ? readEnvironmentKeys(env, value) : [], flags)
  // A file of `---` or `null` beside variables that say everything is a way to be configured.
  if (overridden.value === null) throw new ConfigError([problemAt([], EMPTY)])
  return overridden
}

function listUnused({ unused }: Overridden): string[] {
  return unused.map(({ name, at }) => `${name} is not used: the command line says ${formatPath(at)}.`)
}

function listOverridden({ applied }: Overridden): OverriddenKey[] {
  return applied.map(({ at, name }) => ({ key: formatPath(at), name }))
}

const NO_ASGARDEO = problemAt(['identity_provider'], {
  reason: 'is not Asgardeo, which `--asgardeo` asks for',
  fix: 'Write `kind: asgardeo` with `organization` and `admin`, and leave the flag out.',
})

/** What the Go proxy's flag `--stdio` did. A file of ours says it by itself. */
function asProcess(value: unknown): unknown {
  return { ...(value as object), transport_mode: 'stdio' }
}

function listenOn(config: Config, port: number | undefined): Config {
  return port === undefined ? config : { ...config, listen: { ...config.listen, port } }
}
