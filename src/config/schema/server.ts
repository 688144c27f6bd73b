import { z } from 'zod'
import {
  findBlankMistake,
  findEndpointPathMistake,
  findMessagesPathMistake,
  findNameMistake,
  findSocketMistake,
  findUpstreamUrlMistake,
} from '../format/formats.ts'
import { access, mode, rule } from './access.ts'
import { credentialOrText } from './credential.ts'
import { identity } from './identity.ts'
import { issuerOrText } from './issuer.ts'
import { processShape } from './process.ts'
import { rateLimits } from './rate-limits.ts'
import { headerValueOrText, list, scopes, seconds, text, whole } from './values.ts'

const upstream = z
  .strictObject({
    url: text(findUpstreamUrlMistake).optional().describe('URL of the MCP server.'),
    socket: text(findSocketMistake)
      .optional()
      .describe(
        'Unix socket on which the MCP server listens: a path, absolute or relative to the directory of this file. `url` then gives the path of the MCP endpoint, the `Host` header and, with https, the name in the certificate.',
      ),
    headers: z
      .record(z.string(), headerValueOrText)
      .default({})
      .describe('Headers that the MCP server gets from the proxy, its own credential for example.'),
    connect_timeout_seconds: seconds().default(5).describe('Seconds to connect.'),
    response_timeout_seconds: seconds().default(60).describe('Seconds until the response headers. Never bounds a stream.'),
    heartbeat_seconds: whole(0, 3600)
      .default(25)
      .describe(
        'Seconds after which an event stream of the MCP server on which nothing came gets a comment, so that nothing on the way to the client takes it for dead. 0 for never. A process has its own.',
      ),
    follow_slash_redirects: z
      .boolean()
      .default(false)
      .describe(
        'Whether to ask again where the MCP server redirects to the same path with a final slash more or less. Each such call is sent twice: better write the right path. Every other redirect is 502.',
      ),
    ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
    ...processShape,
  })
  .meta({ id: 'Upstream', description: 'The MCP server behind the proxy: `url`, or `command` for one that the proxy starts.' })

/** An upstream; a string is shorthand for `{ url: … }`. */
const upstreamOrText = z
  .pipe(
    z.transform((value: string | z.input<typeof upstream>) => (typeof value === 'string' ? { url: value } : value)),
    upstream,
  )
  .meta({ shorthand: 'url' })

const sse = z
  .strictObject({
    path: text(findEndpointPathMistake).default('/sse').describe('Public path of the event stream.'),
    messages_path: text(findMessagesPathMistake)
      .optional()
      .describe('Public path for messages. By default the last segment of `path` replaced by `messages`.'),
    upstream: upstreamOrText
      .optional()
      .describe(
        'The event stream of the MCP server. It names the address for messages itself. Not beside an `upstream` with a `command`, which serves both transports.',
      ),
  })
  .meta({ id: 'Sse', description: 'HTTP+SSE, the transport of 2024-11-05.' })

const server = z
  .strictObject({
    path: text(findEndpointPathMistake)
      .optional()
      .describe('Public path for Streamable HTTP. Clients use `public_url` plus this path.'),
    name: text(findNameMistake).optional().describe('Name in logs and metadata. By default made from the path.'),
    upstream: upstreamOrText.optional().describe('The MCP server behind `path`.'),
    sse: sse.optional(),
    issuers: list(issuerOrText)
      .optional()
      .describe('Issuers of this server, instead of the general ones. With an empty list it accepts access keys only.'),
    audience: list(text(findBlankMistake)).default([]).describe('Audiences that are accepted beside the URLs of this server.'),
    scopes: scopes().default([]).describe('Base scopes: every request needs all of them.'),
    access: access
      .optional()
      .describe('Who may use what; with those at the top it is one list. One entry that fits caller and operation is enough.'),
    access_mode: mode
      .optional()
      .describe('`shadow`: the whole of `access` is decided and logged as `would_deny`, not enforced. By default as at the top.'),
    rules: z.array(rule).default([]).describe('What single operations need besides: all rules that match must hold.'),
    rate_limits: rateLimits.default([]).describe('How much of this server may be used, besides the limits at the top.'),
    list_step_up: z
      .boolean()
      .default(true)
      .describe('Whether lists show what the caller only lacks scopes for, so that the client can ask for them.'),
    scope_hierarchy: z
      .record(z.string(), scopes())
      .default({})
      .describe('Scopes that include others: `"mcp:admin": [mcp:read, mcp:write]`.'),
    scopes_supported: scopes()
      .optional()
      .describe(
        'What protected resource metadata tells clients to ask for first. By default the base scopes; without base scopes, all scopes of the rules.',
      ),
    unlisted_operations: z
      .enum(['permit', 'deny'])
      .optional()
      .describe('What becomes of operations that no rule names, by default `permit`. Not beside an `access` that is enforced.'),
    bearer_methods: list(z.enum(['header', 'body', 'query']))
      .min(1)
      .default(['header'])
      .describe(
        'Where clients may put their access token. Only the header keeps it out of logs. Answers to tokens elsewhere are for programs alone: browsers that follow a link with one are refused.',
      ),
    legacy_clients: z
      .enum(['enforce', 'signature_only', 'reject'])
      .default('enforce')
      .describe(
        'Clients of revisions before 2025-03-26: `enforce` checks them like everyone, `signature_only` also accepts tokens without an audience over HTTP+SSE (a risk), `reject` does not serve them.',
      ),
    credential: credentialOrText
      .default({ kind: 'none' } as never)
      .describe(
        'What the MCP server gets to act for the caller (over HTTP), beside `upstream.headers`: by default nothing. See [credentials.md](credentials.md).',
      ),
    forward_access_token: z
      .boolean()
      .default(false)
      .describe(
        'Pass the access token of the caller on to the MCP server. Only for servers that verify it themselves. The same as `credential: access_token`.',
      ),
    identity: identity
      .optional()
      .describe(
        'How the MCP server is told who calls: by a signed assertion or plain headers over HTTP, in `_meta` of each request, and with `env` in its environment, where it is a `command`. See [identity](recipes/identity.md).',
      ),
  })
  .meta({ id: 'Server', description: 'One MCP server: `path` with `upstream`, `sse`, or both.' })

export const servers = z.array(server).min(1)

export type ServerConfig = z.output<typeof server>
export type UpstreamConfig = z.output<typeof upstream>
