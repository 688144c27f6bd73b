import type { ErrorEntry } from './error-entry.ts'

/** The MCP server cannot be reached, does not answer, or answers wrongly. */
export const upstreamErrors = {
  upstream_unreachable: {
    status: 502,
    message: 'The MCP server cannot be reached',
    remedy: 'Is it running, and is `upstream` of the server its address? The log line has the cause.',
  },
  upstream_timeout: {
    status: 504,
    message: 'The MCP server did not answer in time',
    remedy:
      'Raise `upstream.response_timeout_seconds` (of a process: `request_timeout_seconds`, which progress begins anew) if the server may take longer.',
  },
  upstream_invalid_response: {
    status: 502,
    message: 'The MCP server sent a response that cannot be passed on',
    remedy: 'The log line says what was wrong with the response.',
  },
  upstream_redirected: {
    status: 502,
    message: 'The MCP server redirects, and is not followed',
    remedy:
      'Write the address that the log line names as `upstream` (a final slash matters to many servers), or set `upstream.follow_slash_redirects`. Clients are not told it: it is mostly a private one.',
  },
  upstream_refused_credential: {
    status: 502,
    message: 'The MCP server did not accept the credential of the proxy',
    remedy: 'The MCP server asks for a credential of its own: set `upstream.headers` of the server.',
  },
  upstream_ended: {
    status: 502,
    message: 'The MCP server ended before it answered',
    remedy: 'The process of a stdio server exited. The log line has the command and the last lines of its standard error.',
  },
  upstream_busy: {
    status: 503,
    message: 'The MCP server cannot take this request at the moment',
    remedy:
      'A stdio server has `max_processes` processes, is started again after it failed, or does not read what it is sent; or answers that nobody reads take all of `limits.held_bytes`. The log line says which.',
  },
} as const satisfies Record<string, ErrorEntry>
