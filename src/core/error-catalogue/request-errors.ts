import type { ErrorEntry } from './error-entry.ts'

/** The request is malformed, ambiguous, too large or aimed at nothing that is served. */
export const requestErrors = {
  request_malformed: {
    status: 400,
    jsonRpcCode: -32600,
    message: 'The HTTP request is malformed',
    remedy: 'The log line says which header or part of the request can be read in two ways.',
  },
  route_not_found: {
    status: 404,
    message: 'Not found',
    remedy: 'Paths match exactly, final slash included. `open-mcp-auth-proxy check` prints the table of routes.',
  },
  method_not_allowed: {
    status: 405,
    message: 'Method not allowed',
    remedy: 'The `Allow` header lists the methods of this endpoint.',
  },
  body_unexpected: {
    status: 400,
    jsonRpcCode: -32600,
    message: 'This method takes no request body',
    remedy: 'GET, HEAD and DELETE carry no body in MCP.',
  },
  body_too_large: {
    status: 413,
    message: 'The request body is too large',
    remedy: 'Raise `limits.body_bytes` if requests of this size are legitimate.',
  },
  bodies_limited: {
    status: 503,
    message: 'Too many long requests at the same time',
    remedy:
      'Long request bodies waited for memory for `limits.body_idle_seconds`. Raise `limits.bodies_bytes` if the machine has more memory; the log lines name the senders.',
  },
  body_timeout: {
    status: 408,
    message: 'The request body did not arrive in time',
    remedy:
      'The client stopped sending. `limits.body_idle_seconds` limits the time between two chunks, and the time for a whole long body while others wait for memory.',
  },
  headers_too_many: {
    status: 431,
    message: 'The request has too many header fields',
    remedy: 'The limit is 100 header fields and 16 KiB.',
  },
  media_type_unsupported: {
    status: 415,
    message: 'The request body must be application/json in UTF-8, without a content encoding',
    remedy: 'MCP messages are posted as `Content-Type: application/json`.',
  },
  expectation_failed: {
    status: 417,
    message: 'The expectation cannot be met',
    remedy: 'Only `Expect: 100-continue` is supported.',
  },
  json_invalid: {
    status: 400,
    jsonRpcCode: -32700,
    message: 'The request body is not valid JSON in UTF-8',
    remedy: 'The log line gives the byte position.',
  },
  json_ambiguous: {
    status: 400,
    jsonRpcCode: -32600,
    message: 'The request body can be read in more than one way',
    remedy:
      'A repeated key, a key that differs from a reserved one in case only, or nesting deeper than 128. The log line says which.',
  },
  message_invalid: {
    status: 400,
    jsonRpcCode: -32600,
    message: 'The request body is not a JSON-RPC 2.0 message that MCP allows here',
    remedy: 'The log line says which member is wrong.',
  },
  params_invalid: {
    status: 400,
    jsonRpcCode: -32602,
    message: 'Invalid params: a parameter that names the target is missing or malformed',
    remedy: 'The log line says which parameter is missing, of another type or too long.',
  },
  header_mismatch: {
    status: 400,
    jsonRpcCode: -32020,
    message: 'Header mismatch: an MCP header is missing, malformed or disagrees with the request body',
    remedy:
      'From 2026-07-28 on, MCP-Protocol-Version, Mcp-Method and Mcp-Name must agree with the body. In every revision, an MCP header may occur only once.',
  },
  // "A request missing any required field is malformed; the server MUST reject it" (2026-07-28, basic/index, `_meta`).
  protocol_version_missing: {
    status: 400,
    jsonRpcCode: -32602,
    message: 'Invalid params: _meta lacks io.modelcontextprotocol/protocolVersion',
    remedy: 'From 2026-07-28 on, every request names its protocol version in the body as well as in MCP-Protocol-Version.',
  },
  mcp_session_unknown: {
    status: 404,
    message: 'Session not found',
    remedy:
      'The MCP session has ended, belongs to another user, or was opened before this proxy started. The client initializes a new one.',
  },
} as const satisfies Record<string, ErrorEntry>
