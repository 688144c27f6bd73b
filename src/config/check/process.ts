import { findVariableMistake } from '../format/formats.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import { PROCESS_KEYS } from '../schema/process.ts'
import type { ServerConfig, UpstreamConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'

/** Checks that an upstream is either a URL or a command, with the keys that go with it. */
export function checkUpstreamKind(upstream: PartialConfig<UpstreamConfig>, at: ConfigPath, context: CheckContext): void {
  const { report, isBroken } = context
  const has = (key: 'url' | 'command') => upstream[key] !== undefined || isBroken([...at, key])
  if (has('url') && has('command')) {
    report([...at, 'command'], {
      reason: 'cannot be combined with `url`',
      fix: 'Keep `url` for a server that runs by itself, `command` for one to start.',
    })
  }
  if (!has('url') && !has('command')) {
    report([...at, 'url'], { reason: 'is missing', fix: explainMissingUrl(upstream) })
  }
  if (has('command')) checkCommandKeys(upstream, at, context)
  else checkUrlKeys(upstream, at, context)
}

function explainMissingUrl({ socket }: PartialConfig<UpstreamConfig>): string {
  if (socket === undefined) return 'Write the URL of the MCP server, or a `command` that starts it.'
  return 'Write it beside `socket`, with the path of the MCP endpoint: http://localhost/mcp.'
}

function checkUrlKeys(upstream: PartialConfig<UpstreamConfig>, at: ConfigPath, { report }: CheckContext): void {
  for (const key of PROCESS_KEYS) {
    if (upstream[key] === undefined) continue
    report([...at, key], { reason: 'means something beside `command` only', fix: 'Remove it, or write the `command`.' })
  }
}

function checkCommandKeys(upstream: PartialConfig<UpstreamConfig>, at: ConfigPath, { report }: CheckContext): void {
  for (const key of ['socket', 'headers', 'ca_file'] as const) {
    const value = upstream[key]
    if (value === undefined || (typeof value === 'object' && Object.keys(value).length === 0)) continue
    report([...at, key], {
      reason: 'means something beside `url` only',
      fix: 'Remove it. What a process needs goes under `env`.',
    })
  }
  for (const name of Object.keys(upstream.env ?? {})) {
    if (findVariableMistake(name))
      report([...at, 'env', name], { reason: 'is not the name of an environment variable', fix: 'Use letters, digits and `_`.' })
  }
}

/** Checks that HTTP+SSE has a server behind it: a URL of its own, or the process of `upstream`. */
export function checkSseUpstream(server: PartialConfig<ServerConfig>, at: ConfigPath, { report, isBroken }: CheckContext): void {
  if (server.sse === undefined) return
  const isCommand = server.upstream?.command !== undefined || isBroken([...at, 'upstream'])
  const own = server.sse.upstream !== undefined || isBroken([...at, 'sse', 'upstream'])
  if (!own && !isCommand) {
    report([...at, 'sse', 'upstream'], { reason: 'is missing', fix: 'Write the URL of the event stream of the MCP server.' })
  }
  if (server.upstream?.command !== undefined && server.sse.upstream !== undefined) {
    report([...at, 'sse', 'upstream'], {
      reason: 'is combined with a `command`, which serves both transports',
      fix: 'Remove it.',
    })
  }
}
