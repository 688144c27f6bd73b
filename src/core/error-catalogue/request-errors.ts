import type { ErrorEntry } from './error-entry.ts'

/** The request is malformed, ambiguous, too large or aimed at nothing that is served. */
export const requestErrors = {
  request_malformed: {
    status: 400,
    jsonRpcCode: -32600,
    message: 'The HTTP request is malformed',
    reasons: {
      host_invalid: '`Host` is missing or is not a host.',
      target_invalid: 'The request target is not a path and query, or names another host than `Host`.',
      field_repeated: 'A header field that may occur only once occurs more often.',
      framing_ambiguous:
        '`Transfer-Encoding`, `Content-Length` or a field that looks like one of them leaves open where the body ends.',
      connection_invalid: '`Connection` names a field that is not hop-by-hop.',
      protocol_not_supported: 'The HTTP version is neither 1.0 nor 1.1, or the request asks for another protocol (`Upgrade`).',
      syntax: 'It is not HTTP/1.1, or its header section did not arrive whole and in time.',
    },
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
    reasons: {
      not_json_rpc: 'It is not an object with `jsonrpc: "2.0"`, or neither or both of a call and a response.',
      method_ambiguous:
        '`method` differs from a method of MCP in nothing but case, blanks, invisible characters or letters that look alike. Some servers take one for the other.',
      method_invalid: '`method` is not a string, is empty or contains a NUL.',
      id_invalid: '`id` is missing from a response, is too long, occurs twice in a batch, or is neither a string nor an integer.',
      batch_size: 'The batch is empty or has more members than `limits.batch_members`.',
      members_too_many: 'It has more than 10,000 members beside those of `arguments`.',
      batch_not_allowed: 'The revision knows no batches, or the message must not be part of one.',
      response_not_allowed: 'The revision knows no responses from clients.',
      method_not_delivered: 'Stdio servers do not get this message.',
      events_gone: 'The events after `Last-Event-ID` are no longer kept.',
    },
    remedy: 'The log line says which member is wrong.',
  },
  params_invalid: {
    status: 400,
    jsonRpcCode: -32602,
    message: 'Invalid params: a parameter that names the target is missing or malformed',
    reasons: {
      type_wrong: 'A parameter is missing or has the wrong type.',
      name_invalid: 'A name or URI contains a NUL.',
      reference_unknown: '`ref.type` is neither `ref/prompt` nor `ref/resource`.',
      contradictory: '`context` has a value for the argument that is completed.',
      targets_too_many: 'One request names more than 1000 targets.',
      targets_too_long: 'The targets of one request have more than 65,536 characters.',
    },
    remedy: 'The log line says which parameter is missing, of another type or too long.',
  },
  header_mismatch: {
    status: 400,
    jsonRpcCode: -32020,
    message: 'Header mismatch: an MCP header is missing, malformed or disagrees with the request body',
    reasons: {
      header_missing: '`Mcp-Method` or `Mcp-Name` is missing.',
      header_differs: '`MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` differs from the body.',
      header_repeated: 'An MCP header occurs more than once.',
      encoding_invalid: 'A header value is not visible ASCII, or not canonical Base64 of UTF-8.',
      parameter_header_differs: 'An `Mcp-Param-*` header is missing or differs from the argument that it repeats.',
    },
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
