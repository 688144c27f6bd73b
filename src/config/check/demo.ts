import { isObject } from '../../core/is-object.ts'
import { isLoopback } from '../format/formats.ts'
import { ConfigError, type ConfigPath, type Mistake, problemAt } from '../problem/problem.ts'
import type { Config } from '../schema/schema.ts'

/** Stands for the sandbox until its port is known, which follows the proxy's. */
export const SANDBOX_ISSUER = 'http://localhost'

/** Keys of a configuration that signs users in by itself. */
const SIGNING_IN: readonly (readonly [key: 'identity_provider' | 'rewrite', mistake: Mistake])[] = [
  [
    'identity_provider',
    { reason: 'signs users in, and so would the sandbox of `--demo`', fix: 'Start without `--demo`, or leave it out.' },
  ],
  [
    'rewrite',
    {
      reason: 'sends users to an identity provider, and the sandbox of `--demo` is none',
      fix: 'Start without `--demo`, or leave it out.',
    },
  ],
]

/** A configuration of our format with the sandbox of `--demo` in the place of every issuer. */
export interface SandboxedValue {
  readonly value: unknown
  readonly notices: readonly string[]
}

/**
 * Puts the sandbox in the place of every issuer that a configuration names: trying the proxy out must not let in users who
 * signs in for real, nor the other way round.
 *
 * @param value - a configuration of our format, not checked yet
 * @throws ConfigError when it signs users in by itself
 */
export function useSandbox(value: unknown): SandboxedValue {
  if (!isObject(value)) return { value, notices: [] }
  const problems = SIGNING_IN.flatMap(([key, mistake]) => (value[key] === undefined ? [] : [problemAt([key], mistake)]))
  if (problems.length > 0) throw new ConfigError(problems)
  const { issuers, servers, ...rest } = value
  const list = Array.isArray(servers) ? servers : []
  const isReplaced = issuers !== undefined || list.some((server) => isObject(server) && server.issuers !== undefined)
  return {
    value: {
      ...rest,
      issuers: [SANDBOX_ISSUER],
      ...(servers === undefined ? {} : { servers: Array.isArray(servers) ? servers.map(withoutIssuers) : servers }),
    },
    notices: isReplaced ? ['issuers: not used with `--demo`. Only access tokens of the sandbox are accepted.'] : [],
  }
}

function withoutIssuers(server: unknown): unknown {
  if (!isObject(server)) return server
  const { issuers, ...rest } = server
  return rest
}

/**
 * Refuses what would let the sandbox, whose passwords everybody knows, be used from elsewhere.
 *
 * @param value - a configuration of our format, checked or not
 * @throws ConfigError
 */
export function checkLoopbackOnly(value: unknown): void {
  const { listen, public_url: publicUrl, allowed_hosts: hosts } = isObject(value) ? value : {}
  const host = isObject(listen) ? listen.host : undefined
  const foreign = Array.isArray(hosts) ? hosts.findIndex(isForeignHost) : -1
  const found: readonly (readonly [isFound: boolean, at: ConfigPath, reason: string])[] = [
    [isForeignHost(host), ['listen', 'host'], 'is reachable from other machines, and `--demo` was given'],
    [isForeignUrl(publicUrl), ['public_url'], 'is an address beyond this machine, and `--demo` was given'],
    [foreign >= 0, ['allowed_hosts', foreign], 'names more than this machine, and `--demo` was given'],
  ]
  const fix = 'Start without `--demo`, or leave this out: its users have known passwords, so it serves this machine only.'
  const problems = found.flatMap(([isFound, at, reason]) => (isFound ? [problemAt(at, { reason, fix })] : []))
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Other types than texts are mistakes that the schema finds. */
function isForeignHost(host: unknown): boolean {
  return typeof host === 'string' && !isLoopback(host.replace(/^(\[.*\]|[^:]*):\d+$/, '$1'))
}

function isForeignUrl(url: unknown): boolean {
  return typeof url === 'string' && !isLoopback(URL.parse(url)?.hostname ?? '')
}

/**
 * Settles where the sandbox is: at a port of its own, beside the proxy's.
 *
 * @param config - checked, made with {@link SANDBOX_ISSUER}
 * @param wanted - another port, when the one beside the proxy's is taken
 */
export function resolveSandbox(config: Config, wanted: number | undefined): { config: Config; port: number } {
  const { port: own } = config.listen
  const port = wanted ?? (own < 65_535 ? own + 1 : own - 1)
  return {
    config: { ...config, issuers: config.issuers.map((issuer) => ({ ...issuer, issuer: `http://localhost:${port}` })) },
    port,
  }
}
