import type { ConfigInput } from '../schema/schema.ts'
import type { GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

type ServerInput = ConfigInput['servers'][number]

/** Paths and upstreams of a server. */
export type GoEndpoints = Pick<ServerInput, 'path' | 'upstream' | 'sse'>

type PathKind = 'sse' | 'messages' | 'streamable_http'

/** Translates `base_url`, `paths`, `path_mapping` and `timeout_seconds`: everything that `paths` names is served, by one server. */
export function translateEndpoints(go: GoProxyConfig, notes: GoNotes): GoEndpoints {
  const paths = readPaths(go, notes)
  const upstreamOf = (path: string) => ({ url: formatUpstream(go, path), ...translateTimeout(go, notes) })
  const endpoints: GoEndpoints = {}
  if (paths.streamable_http !== undefined) {
    endpoints.path = cutFinalSlash(paths.streamable_http, 'paths.streamable_http', notes)
    endpoints.upstream = upstreamOf(paths.streamable_http)
  }
  if (paths.sse !== undefined) {
    endpoints.sse = { path: cutFinalSlash(paths.sse, 'paths.sse', notes), upstream: upstreamOf(paths.sse) }
    if (paths.messages !== undefined) endpoints.sse.messages_path = paths.messages
  }
  return endpoints
}

/** The public paths of translated endpoints. */
export function listPaths({ path, sse }: GoEndpoints): string[] {
  return [path, sse?.path, sse?.messages_path].filter((item) => item !== undefined)
}

/** The paths that a file names, by what they are for. */
export function readPaths(go: GoProxyConfig, notes: GoNotes): Partial<Record<PathKind, string>> {
  const named = { ...classifyPaths(go.mcp_paths ?? [], notes), ...dropBlank(go.paths ?? {}) }
  if (Object.keys(named).length === 0) {
    return go.transport_mode === 'streamable_http' ? { streamable_http: '/mcp' } : { sse: '/sse', messages: '/messages' }
  }
  if (named.sse === undefined && named.messages === undefined) return named
  return { sse: '/sse', messages: '/messages', ...named }
}

/** The first versions listed their paths without saying what they were. */
function classifyPaths(paths: readonly string[], notes: GoNotes): Partial<Record<PathKind, string>> {
  const named: Partial<Record<PathKind, string>> = {}
  paths.forEach((path, index) => {
    const kind = /sse\/?$/.test(path) ? 'sse' : path.includes('message') ? 'messages' : 'streamable_http'
    if (named[kind] === undefined) named[kind] = path
    else notes.refuse(['mcp_paths', index], { reason: `is a second ${kind} path`, fix: 'Name the paths under `paths`.' })
  })
  return named
}

function dropBlank(paths: Partial<Record<PathKind, string | undefined>>): Partial<Record<PathKind, string>> {
  return Object.fromEntries(Object.entries(paths).filter(([, path]) => path !== undefined && path !== ''))
}

/** Where the Go proxy sent the requests of a path: the base URL with the path, or with what `path_mapping` puts in its place. */
function formatUpstream(go: GoProxyConfig, path: string): string {
  const base = go.base_url || go.mcp_server_base_url || `http://localhost:${go.port || 8000}`
  const mapping = go.path_mapping ?? {}
  const mapped = Object.hasOwn(mapping, path) ? mapping[path] : undefined
  return base.replace(/\/+$/, '') + (mapped ?? path)
}

function translateTimeout(go: GoProxyConfig, notes: GoNotes): { response_timeout_seconds?: number } {
  if (!go.timeout_seconds) return {}
  if (!notes.notices.some((notice) => notice.key === 'timeout_seconds')) {
    notes.note(
      'timeout_seconds',
      'bounds the wait for the response headers only, never a stream (`upstream.response_timeout_seconds`).',
    )
  }
  return { response_timeout_seconds: go.timeout_seconds }
}

function cutFinalSlash(path: string, key: string, notes: GoNotes): string {
  if (!path.endsWith('/') || path === '/') return path
  notes.note(key, `is served as ${path.slice(0, -1)}: the URL of an MCP server ends without a slash (\`path\`).`)
  return path.slice(0, -1)
}
