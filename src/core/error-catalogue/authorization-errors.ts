import type { ErrorEntry } from './error-entry.ts'

/** What policy refuses by, openly or hidden. */
const policyReasons = {
  rule_denied: 'A rule denies the operation (`deny: true`).',
  require_failed: '`require` of a rule is false, cannot be computed, or needs arguments that are not there.',
  scope_missing: 'A rule with `on_deny: hide` needs a scope that the token lacks.',
  not_opened: 'No entry of `access` opens the operation to the caller.',
  not_listed: 'No rule names the operation, and `unlisted_operations` is `deny`.',
} as const

/** The client, user or page may not do this. */
export const authorizationErrors = {
  scope_insufficient: {
    status: 403,
    oauthError: 'insufficient_scope',
    message: 'The access token lacks a scope that this operation needs',
    remedy: 'The client requests the scopes in the challenge. They come from `scopes` and `rules` of the server.',
  },
  policy_denied: {
    status: 403,
    message: 'This operation is not permitted',
    reasons: policyReasons,
    remedy:
      'A rule of the server denies the operation, or its `require` does not hold; or no entry of `access` opens the method; or no rule names the operation, and `unlisted_operations` is `deny`. The log line names what decided; more scopes would not help.',
  },
  target_hidden: {
    status: 200,
    jsonRpcCode: -32602,
    message: 'Unknown tool, prompt or resource',
    reasons: policyReasons,
    remedy:
      'No entry of `access` opens the tool, prompt or resource to the caller, or a rule with `on_deny: hide` refuses it: the caller gets what MCP servers answer for a name that does not exist. The log line names what decided.',
  },
  resource_uri_ambiguous: {
    status: 403,
    message: 'This resource URI is ambiguous',
    remedy:
      'The server has rules for resources, and the URI has control characters, too many escapes, dot segments or backslashes, is longer than 8 KiB, is a relative path or names another host (`file:`), or one message names more resources than can be compared with the rules. The log line says which. Use the URI exactly as the server lists it.',
  },
  access_key_unsupported: {
    status: 403,
    message: 'This server needs an access token of its caller, not an access key',
    remedy:
      'The MCP server gets a token of the caller (`forward_access_token`, `credential: identity_provider_token`), and an access key is none: it is never passed on, and no user is signed in. Use a token, or serve the MCP server to keys under another name without that setting.',
  },
  rate_limited: {
    status: 429,
    message: 'Too many requests',
    reasons: {
      calls_per_minute: 'The bucket of a limit with `calls_per_minute` holds less than the request asks for.',
      concurrent_calls: 'As many calls run as a limit with `concurrent_calls` permits.',
      streams: 'As many event streams are open as a limit permits.',
      sessions: 'As many MCP sessions are open as a limit permits.',
    },
    remedy:
      'The client waits for the seconds of `Retry-After` and tries again. The log line names the entry of `rate_limits`: raise its bound if that use is meant to be possible.',
  },
  batch_too_large: {
    status: 429,
    message: 'This batch has more calls than are ever let through at once: send fewer in each',
    reasons: {
      calls_per_minute: 'The batch has more operations than `burst` (by default `calls_per_minute`) of a limit.',
      concurrent_calls: 'The batch has more calls than `concurrent_calls` of a limit.',
      sessions: 'The batch opens more MCP sessions than `sessions` of a limit.',
    },
    remedy:
      'The same batch never fits, whatever `Retry-After` says: the client sends smaller ones. It is counted as one operation. The log line names the entry of `rate_limits`, and how many it permits at once: without Redis, each of several processes (`replicas`) has its part.',
  },
  legacy_client_rejected: {
    status: 400,
    message: 'This server does not serve clients of that protocol revision',
    remedy:
      '`legacy_clients: reject` is set for the server. Use `enforce` to serve old clients with the same checks as all others.',
  },
  origin_denied: {
    status: 403,
    message: 'Requests from this origin are not accepted',
    remedy: 'Add the origin to `cors.allowed_origins` if the web page that it names may call this server.',
  },
  host_denied: {
    status: 403,
    message: 'Requests for this host are not accepted',
    remedy: 'Set `public_url` to the URL that clients use, or add the host to `allowed_hosts`.',
  },
} as const satisfies Record<string, ErrorEntry>
