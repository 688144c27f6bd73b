import type { ErrorEntry } from './error-entry.ts'

/** The MCP server cannot be reached, does not answer, or answers wrongly. */
export const upstreamErrors = {
  upstream_unreachable: {
    status: 502,
    message: 'The MCP server cannot be reached',
    reasons: {
      connect_failed: 'No connection could be opened: refused, not in time, no such name, a wrong certificate.',
      egress_failed:
        'The egress proxy (`egress_proxy`, HTTPS_PROXY) cannot be reached, wants other credentials, refused, or could not reach the MCP server.',
      connection_lost: 'The connection ended before the answer did. The request may have been carried out.',
      circuit_open:
        'Five connections in a row could not be opened, so for five seconds none is tried. Then one call tries; the others follow once it has a connection.',
      not_started: 'The program of a stdio server could not be started.',
    },
    remedy: 'Check that it is running and that `upstream` of the server has its address. The log line has the cause.',
  },
  upstream_timeout: {
    status: 504,
    message: 'The MCP server did not answer in time',
    remedy:
      'Raise `upstream.response_timeout_seconds` (for a process: `request_timeout_seconds`, which progress restarts) if the server may take longer.',
  },
  upstream_invalid_response: {
    status: 502,
    message: 'The MCP server sent an invalid response',
    reasons: {
      http_invalid: 'It is not HTTP, has too many header fields or interim responses, or leaves open where its body ends.',
      media_type_wrong: 'A success is a web page, or answers a request with neither JSON nor an event stream.',
      endpoint_event_invalid:
        'The stream of an HTTP+SSE server does not begin with an `endpoint` event that leads to the same origin, or has a second one.',
      initialize_invalid: 'A stdio server refused `initialize`, chose an unknown protocol version, or said too much of itself.',
      message_unreadable:
        'A stdio server sent a message that cannot be read, can be read in two ways, or cannot be translated to the revision of the client.',
    },
    remedy: 'The log line says what is wrong with the response.',
  },
  answer_unfilterable: {
    status: 502,
    message: 'The answer of the MCP server cannot be filtered',
    remedy:
      'A policy decides what lists of this server show, so each of its answers must be readable JSON or an event stream, without `Content-Encoding`, of 16 MiB at most, and within `limits.held_bytes`. The log line says what is wrong with the answer.',
  },
  upstream_redirected: {
    status: 502,
    message: 'The MCP server answered with a redirect, which is not followed',
    remedy:
      'Set `upstream` to the address in the log line (a final slash matters to many servers), or set `upstream.follow_slash_redirects`. Clients do not see the address, which is usually private.',
  },
  upstream_token_refused: {
    status: 403,
    message: 'The authorization server of the MCP server gives no access to this user',
    reasons: {
      access_denied: 'It answered `access_denied`.',
      interaction_required: 'The user has to answer something there first: consent, a second factor, or new terms.',
      refused_again: 'It refused the token of the caller, and after that a new one as well: signing in again does not help.',
    },
    remedy:
      'The log line has the error of the authorization server. The user or an administrator gives consent there, or gives the user access. Signing in again does not help by itself, so clients are not asked for it.',
  },
  upstream_token_misconfigured: {
    status: 502,
    message: 'The proxy cannot get a token for the MCP server',
    remedy:
      'The authorization server refuses the client, the grant, the audience or the scopes of `credential` (`invalid_client`, `unauthorized_client`, `invalid_target`, `invalid_scope` and the like): the log line has its error. Correct the `credential` of the server, or the client there.',
  },
  upstream_token_unavailable: {
    status: 503,
    message: 'A token for the MCP server cannot be fetched at the moment',
    remedy:
      'The authorization server of `credential` does not answer, or not as it should. The log line says how. The proxy asks again with the next call.',
  },
  account_required: {
    status: 403,
    message: 'An account at the MCP server has to be connected first',
    reasons: {
      not_connected: 'The user has connected none, has disconnected it, or it is not good any more.',
      scopes_missing: 'The MCP server answered 403 `insufficient_scope`: the account has to be connected with more scopes.',
    },
    remedy:
      'Nothing for the operator to do: the answer has a link, at which the user connects the account. A request gets it as an answer (HTTP 200), in the way that its client can show it; anything else gets this status.',
  },
  upstream_refused_credential: {
    status: 502,
    message: 'The MCP server did not accept the credential of the proxy',
    remedy: 'The MCP server requires its own credential: set `upstream.headers` of the server.',
  },
  upstream_replaced: {
    status: 503,
    message: 'The configuration of this MCP server has changed',
    remedy: 'Nothing to do: the configuration was reloaded, and the client connects again.',
  },
  upstream_ended: {
    status: 502,
    message: 'The MCP server ended before it answered',
    remedy: 'The process of a stdio server exited. The log line has the command and the last lines of its standard error.',
  },
  upstream_busy: {
    status: 503,
    message: 'The MCP server cannot take this request at the moment',
    reasons: {
      processes_limit: 'All processes that the server or the user may have are in use.',
      sessions_limit: 'Too many MCP sessions are open.',
      subscriptions_limit: 'The user has too many subscriptions.',
      memory_full: 'What is held for clients uses all of `limits.held_bytes`, or all of the user’s share.',
      input_full: 'The process does not read its input.',
      restarting: 'The process failed repeatedly and is not started again yet.',
      system_limit: 'The operating system refuses to start another process.',
    },
    remedy:
      'A stdio server has reached `max_processes`, is being restarted after a failure, or does not read its input; or unread answers use all of `limits.held_bytes`. The log line says which.',
  },
} as const satisfies Record<string, ErrorEntry>
