import type { ConfigInput } from '../schema/schema.ts'
import type { GoMetadata, GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

/** What a translation says about listening, the public URL and browsers. */
export type GoEdge = Pick<ConfigInput, 'public_url' | 'listen' | 'allowed_hosts' | 'cors'>

const DEFAULT_PORT = 8080

/**
 * Translates `listen_port`, `proxy_base_url` and `cors`.
 *
 * @param go - the old configuration
 * @param metadata - what it published about itself
 * @param paths - public paths of the server
 * @param notes - takes what means something else here
 */
export function translateEdge(go: GoProxyConfig, metadata: GoMetadata, paths: readonly string[], notes: GoNotes): GoEdge {
  const listen = translateListen(go, notes)
  const cors = go.cors ? { cors: translateCors(go.cors, notes) } : {}
  const known = go.proxy_base_url?.replace(/\/+$/, '') ?? derivePublicUrl(metadata.resource_identifier, paths)
  if (go.proxy_base_url === undefined && known !== undefined) {
    notes.note(
      'resource_identifier',
      `the public URL is taken from it: ${known} (\`public_url\`). \`base_url\` is the MCP server only.`,
    )
  }
  if (known !== undefined) return { public_url: known, listen, ...cors }
  // A port that is out of range is a mistake of its own, told once.
  const assumed = listen.port > 65_535 ? 'http://localhost' : `http://localhost:${listen.port}`
  notes.note(
    'proxy_base_url',
    `is missing: ${assumed} is assumed for clients and every Host header is accepted (\`public_url\`, \`allowed_hosts\`). \`base_url\` is the MCP server only.`,
  )
  return { public_url: assumed, listen, allowed_hosts: ['*'], ...cors }
}

/**
 * The same for `--demo` without a block for it, which serves this machine only: what the file leaves open is closed.
 *
 * @param go - the old configuration; where it names other machines, its checks refuse it
 */
export function translateEdgeOfSandbox(go: GoProxyConfig, notes: GoNotes): GoEdge {
  const listen = translateListen(go, notes, '127.0.0.1')
  const cors = go.cors ? { cors: translateCors(go.cors, notes) } : {}
  const known = go.proxy_base_url?.replace(/\/+$/, '')
  return { ...(known === undefined ? {} : { public_url: known }), listen, ...cors }
}

function translateListen(go: GoProxyConfig, notes: GoNotes, usual = '0.0.0.0'): { host: string; port: number } {
  const address = /^(?<host>.*):(?<port>\d+)$/.exec(go.listen_address ?? '')?.groups
  const host = address?.host?.replace(/^\[|\]$/g, '') || usual
  const port = go.listen_port || Number(address?.port ?? 0) || DEFAULT_PORT
  if (go.listen_address !== undefined && address === undefined) {
    notes.refuse(['listen_address'], { reason: 'is not host:port', fix: 'Write it like :8080, or use `listen_port`.' })
  }
  const key = go.listen_port === undefined && go.listen_address !== undefined ? 'listen_address' : 'listen_port'
  if (host === '0.0.0.0')
    notes.note(key, `the proxy listens on every interface, as before (\`listen.host: 127.0.0.1\` keeps it to this machine).`)
  return { host, port }
}

/** The origin of the resource identifier, when it is an address of ours and not just a name for the audience. */
function derivePublicUrl(identifier: string | undefined, paths: readonly string[]): string | undefined {
  if (identifier === undefined || !/^https?:\/\//i.test(identifier) || !URL.canParse(identifier)) return undefined
  const { origin, pathname } = new URL(identifier)
  const bare = pathname.replace(/\/$/, '')
  return bare === '' || paths.some((path) => path.replace(/\/$/, '') === bare) ? origin : undefined
}

function translateCors(cors: NonNullable<GoProxyConfig['cors']>, notes: GoNotes): NonNullable<ConfigInput['cors']> {
  const origins = (cors.allowed_origins ?? []).map((origin) => origin.replace(/\/$/, ''))
  const everyone = origins.includes('*')
  if (everyone) {
    notes.note('cors.allowed_origins', '"*" lets every web page call; the Go proxy took it for the name of one.')
    if (cors.allow_credentials)
      notes.note('cors.allow_credentials', 'is left out beside "*" (`cors.allow_credentials`); access tokens do not need it.')
  }
  const headers = cors.allowed_headers ?? []
  if (headers.includes('*'))
    notes.note('cors.allowed_headers', '"*" is left out: headers that MCP needs are always allowed, others need their names.')
  return {
    allowed_origins: unique(origins),
    allowed_headers: unique(headers.filter((header) => header !== '*')),
    allowed_methods: unique(
      (cors.allowed_methods ?? []).map((method) => method.toUpperCase()).filter((method) => method !== '*'),
    ),
    allow_credentials: (cors.allow_credentials ?? false) && !everyone,
  }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
