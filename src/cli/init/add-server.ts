import { writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isGoProxyConfig } from '../../config/go-proxy/translate.ts'
import { loadConfigText } from '../../config/load.ts'
import { ConfigError, type Problem } from '../../config/problem/problem.ts'
import { appendServer, type ServerItem } from '../../config/source/append-server.ts'
import { readConfigFile } from '../../config/source/config-file.ts'
import { readYaml } from '../../config/source/yaml-text.ts'
import type { Arguments } from '../arguments.ts'
import type { Terminal } from '../terminal.ts'
import { UsageError } from '../usage-error.ts'
import { choosePath, isSse } from './config-text.ts'
import { askServer } from './questions.ts'
import { explainWriteFailure } from './write-failure.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * `init --add`: adds a server to a configuration file and leaves the rest as it is.
 *
 * @throws UsageError, WriteFailure, ConfigError when the file is missing or the new server makes a mistake
 */
export async function addServer(args: Arguments, file: string, env: Environment, terminal: Terminal): Promise<void> {
  const text = readConfigFile(file)
  const { value } = readYaml(text)
  if (typeof value !== 'object' || value === null || isGoProxyConfig(value))
    throw new UsageError(`${file} is of another format. Have it translated first: open-mcp-auth-proxy migrate ${file}.`)
  const { upstream, scopes } = await askServer(args, terminal)
  const key = isSse(upstream) ? '/sse' : choosePath({ upstream })
  const path = findFreePath(key, listPaths(value as { readonly servers?: unknown }))
  const target = upstream.kind === 'http' ? upstream.url : { command: upstream.command }
  const server: ServerItem = {
    ...(isSse(upstream) ? { sse: { path, upstream: target } } : { path, upstream: target }),
    ...(scopes.length > 0 ? { scopes } : {}),
  }
  const after = appendServer(text, server)
  const problems = listNewProblems(text, after, { env, terminal: false, directory: dirname(resolve(file)) })
  if (problems.length > 0) throw new ConfigError(problems)
  write(file, after)
  terminal.print(terminal.paintOutput('green', `${file} has one more server.`))
  terminal.print(`Give clients ${formatUrl(value, path)}. A start or \`reload\` of the proxy puts it into force.`)
}

/** The public URL is only known here where the file has it: it may come from the environment as well. */
function formatUrl(config: { readonly public_url?: unknown }, path: string): string {
  const { public_url: publicUrl } = config
  return typeof publicUrl === 'string' ? `${publicUrl.replace(/\/$/, '')}${path}` : `the public URL followed by ${path}`
}

/** Mistakes that were there before, such as secrets that are not set here, are not of this server. */
function listNewProblems(before: string, after: string, options: Parameters<typeof loadConfigText>[1]): readonly Problem[] {
  const find = (text: string): readonly Problem[] => {
    try {
      loadConfigText(text, options)
      return []
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
  }
  const known = new Set(find(before).map(({ path, reason }) => `${path}\n${reason}`))
  return find(after).filter(({ path, reason }) => !known.has(`${path}\n${reason}`))
}

function listPaths({ servers }: { readonly servers?: unknown }): ReadonlySet<unknown> {
  const list: readonly unknown[] = Array.isArray(servers) ? servers : []
  return new Set(
    list.flatMap((server) => {
      const { path, sse } = (server ?? {}) as { readonly path?: unknown; readonly sse?: { readonly path?: unknown } | null }
      return [path, sse?.path]
    }),
  )
}

function findFreePath(wanted: string, taken: ReadonlySet<unknown>): string {
  if (!taken.has(wanted)) return wanted
  for (let number = 2; ; number++) if (!taken.has(`${wanted}-${number}`)) return `${wanted}-${number}`
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw explainWriteFailure(file, error)
  }
}
