import { splitCommand } from '../format/split-command.ts'
import type { ConfigInput } from '../schema/schema.ts'
import { type GoEndpoints, readPaths } from './endpoints.ts'
import type { GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

type Block = NonNullable<GoProxyConfig['stdio'] & GoProxyConfig['command']>

/**
 * The MCP server as a process of ours: `transport_mode: stdio`, or a block that is switched on where no other mode is named. The Go
 * proxy put an HTTP+SSE bridge between; here it is served over every transport.
 *
 * @returns undefined when the server is reached over HTTP
 */
export function findProcess(go: GoProxyConfig, notes: GoNotes): GoEndpoints | undefined {
  const key = go.stdio === undefined && go.command !== undefined ? 'command' : 'stdio'
  const isOn = go[key]?.enabled === true && go.transport_mode === undefined
  if (go.transport_mode !== 'stdio' && !isOn) {
    for (const unused of ['stdio', 'command'] as const)
      if (go[unused] !== undefined) notes.note(unused, 'has no effect in this transport mode.')
    return undefined
  }
  const block: Partial<Block> = go[key] ?? {}
  notes.note(key, 'starts the MCP server without a shell and without a bridge, once for each MCP session (`upstream.command`).')
  for (const unused of ['base_url', 'mcp_server_base_url', 'port', 'path_mapping', 'timeout_seconds'] as const)
    if (go[unused] !== undefined) notes.note(unused, 'has no effect for a process.')
  return { ...choosePaths(go, block, notes), upstream: createUpstream(key, block, notes) }
}

function createUpstream(
  key: string,
  block: Partial<Block>,
  notes: GoNotes,
): NonNullable<ConfigInput['servers'][number]['upstream']> {
  const words = splitCommand(block.user_command ?? '')
  if ('reason' in words) notes.refuse([key, 'user_command'], words)
  if (block.args !== undefined)
    notes.note(`${key}.args`, 'are passed to the command, which the Go proxy did not do (`upstream.args`).')
  return {
    command: 'reason' in words ? [] : [...words],
    ...(block.args === undefined ? {} : { args: block.args }),
    ...(block.work_dir === undefined ? {} : { work_dir: block.work_dir }),
    ...(block.env === undefined ? {} : { env: block.env }),
  }
}

function choosePaths(go: GoProxyConfig, block: Partial<Block>, notes: GoNotes): Pick<GoEndpoints, 'path' | 'sse'> {
  const named = readPaths(go, notes)
  const sse = block.sse_path ?? named.sse ?? '/sse'
  const messages = block.message_path ?? named.messages ?? '/messages'
  return {
    path: withoutFinalSlash(named.streamable_http ?? '/mcp'),
    sse: { path: withoutFinalSlash(sse), messages_path: messages },
  }
}

function withoutFinalSlash(path: string): string {
  return path === '/' ? path : path.replace(/\/$/, '')
}
