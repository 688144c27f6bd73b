import { resolve } from 'node:path'
import { listEndpoints, nameServer } from '../derive/endpoints.ts'
import { getsCredential } from '../derive/gets-token.ts'
import { entriesOf } from '../derive/present-items.ts'
import { isLoopback } from '../format/formats.ts'
import { type ConfigPath, formatPath } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig, UpstreamConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import { checkUpstreamHeaders } from './header-values.ts'
import { checkSseUpstream, checkUpstreamKind } from './process.ts'

/** Checks that every server has its endpoints and upstreams, and that paths and names belong to one server each. */
export function checkServers(context: CheckContext): void {
  const owners = new Map<string, string>()
  const names = new Map<string, string>()
  for (const [index, server] of entriesOf(context.config.servers)) {
    const at = ['servers', index]
    checkPair(server, at, context)
    for (const endpoint of listEndpoints(server)) {
      claim(owners, endpoint.path, [...at, ...endpoint.at], 'path', context)
    }
    const name = nameServer(server)
    if (name !== '') claim(names, name, [...at, 'name'], 'name', context)
    checkSseUpstream(server, at, context)
    checkUpstream(server, server.upstream, [...at, 'upstream'], context)
    checkUpstream(server, server.sse?.upstream, [...at, 'sse', 'upstream'], context)
  }
}

function checkPair(server: PartialConfig<ServerConfig>, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const has = (key: 'path' | 'upstream' | 'sse') => server[key] !== undefined || isBroken([...at, key])
  if (has('path') && !has('upstream')) {
    report([...at, 'upstream'], { reason: 'is missing; `path` needs it', fix: 'Write the URL of the MCP server.' })
  }
  if (has('upstream') && !has('path')) {
    report([...at, 'path'], { reason: 'is missing; `upstream` needs it', fix: 'Write the public path, for example /mcp.' })
  }
  if (!has('path') && !has('upstream') && !has('sse')) {
    report(at, { reason: 'serves nothing', fix: 'Add `path` and `upstream` for Streamable HTTP, `sse` for HTTP+SSE, or both.' })
  }
}

function claim(owners: Map<string, string>, value: string, at: ConfigPath, what: string, { report }: CheckContext): void {
  const owner = owners.get(value)
  if (owner === undefined) owners.set(value, formatPath(at))
  else report(at, { reason: `is the same ${what} as ${owner} (${value})`, fix: `Give each its own ${what}.` })
}

function checkUpstream(
  server: PartialConfig<ServerConfig>,
  upstream: PartialConfig<UpstreamConfig> | undefined,
  at: ConfigPath,
  context: CheckContext,
): void {
  if (upstream === undefined) return
  checkUpstreamKind(upstream, at, context)
  checkSocket(upstream.socket, [...at, 'socket'], context)
  if (upstream.url !== undefined && upstream.socket === undefined && isOurselves(upstream.url, context)) {
    context.report([...at, 'url'], {
      reason: 'is the address of this proxy itself',
      fix: 'Write the address of the MCP server, or move `listen.port`.',
    })
  }
  checkUpstreamHeaders(upstream, getsCallersToken(server), [...at, 'headers'], context)
}

/** Bytes of a socket's path that every system keeps (`sun_path` of macOS and the BSDs, 104, and of Linux, 108, with a final zero). */
const maxSocketBytes = process.platform === 'linux' ? 107 : 103

/** Systems refuse a longer path, or cut it off: then it is another socket. */
function checkSocket(socket: string | undefined, at: ConfigPath, { secretsAndFiles, report }: CheckContext): void {
  if (socket === undefined || process.platform === 'win32') return
  if (Buffer.byteLength(resolve(secretsAndFiles.directory, socket)) <= maxSocketBytes) return
  report(at, {
    reason: `is longer than the ${maxSocketBytes} bytes that this system has for the path of a socket`,
    fix: 'Have the MCP server listen on a shorter path.',
  })
}

/** Whether the MCP server gets a token of its caller, as `Authorization`. */
function getsCallersToken(server: PartialConfig<ServerConfig>): boolean {
  return server.forward_access_token === true || getsCredential(server)
}

/** Whether a URL leads back to where we listen. */
function isOurselves(url: string, { config }: CheckContext): boolean {
  const { host, port } = config.listen ?? {}
  if (host === undefined || port === undefined || port === 0 || !URL.canParse(url)) return false
  const target = new URL(url)
  const targetPort = Number(target.port === '' ? (target.protocol === 'https:' ? 443 : 80) : target.port)
  if (targetPort !== port) return false
  const everywhere = host === '0.0.0.0' || host === '::'
  return target.hostname === host || (isLoopback(target.hostname) && (everywhere || isLoopback(host)))
}
