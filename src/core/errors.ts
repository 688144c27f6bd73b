/**
 * Every way in which a request can be refused, in one place. The code is stable API: it stands in logs, metric labels and
 * `docs/errors.md`. The message is safe to show to strangers; what the operator needs to know travels in `cause`.
 */

interface ErrorEntry {
  /** The HTTP status of the refusal. */
  readonly status: number
  /** The `error` of the challenge (RFC 6750 §3.1). A missing token has none: its challenge stays bare. */
  readonly oauthError?: 'invalid_request' | 'invalid_token' | 'insufficient_scope'
  /**
   * The code of the JSON-RPC error object, where JSON-RPC or MCP defines one for this. Everything else gets one outside the range
   * that JSON-RPC reserves (2026-07-28, basic/index, Error Codes), made from the status: see {@link jsonRpcCodeOf}.
   */
  readonly jsonRpcCode?: number
  /** What a client is told. */
  readonly message: string
  /** What the operator should do, for the generated documentation. */
  readonly remedy: string
}

const entry = <T extends ErrorEntry>(row: T): T => row

/** The error catalogue. `docs/errors.md` is generated from it. */
export const errorCatalogue = {
  // Who is calling?
  token_missing: entry({
    status: 401,
    message: 'Authorization required',
    remedy: 'Normal for a first request: the client reads the challenge and signs the user in.',
  }),
  token_invalid: entry({
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token is malformed or its signature does not verify',
    remedy:
      'The log line names the check that failed. Compare the token with the issuer, keys and algorithms of the configuration.',
  }),
  token_expired: entry({
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token has expired',
    remedy: 'The client refreshes or signs in again. If it happens at once, compare the clocks of this machine and the issuer.',
  }),
  token_issuer_unknown: entry({
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token comes from an issuer that this server does not accept',
    remedy: 'Compare the `iss` claim, letter by letter and with its final slash, with `issuers` of the server.',
  }),
  token_audience_mismatch: entry({
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token was not issued for this server',
    remedy: 'Have the issuer put the resource identifier into `aud`, or list the value it uses under `audience` of the server.',
  }),
  token_type_wrong: entry({
    status: 401,
    oauthError: 'invalid_token',
    message: 'The token presented is not an access token',
    remedy:
      'The client sent an ID token, a refresh token, a proof or a sender-constrained token where a bearer access token belongs.',
  }),
  token_request_malformed: entry({
    status: 400,
    oauthError: 'invalid_request',
    message: 'The request presents its access token in a way that cannot be accepted',
    remedy:
      'Exactly one token, in one `Authorization: Bearer …` header (or another way that `bearer_methods` of the server permits).',
  }),
  issuer_unavailable: entry({
    status: 503,
    message: 'The access token cannot be checked at the moment',
    remedy:
      'The issuer (its metadata, keys or introspection endpoint) cannot be reached and no usable keys are kept. It is asked again by itself.',
  }),

  // May they do this?
  scope_insufficient: entry({
    status: 403,
    oauthError: 'insufficient_scope',
    message: 'The access token lacks a scope that this operation needs',
    remedy: 'The client asks for the scopes of the challenge. The rules are under `scopes` and `rules` of the server.',
  }),
  policy_denied: entry({
    status: 403,
    message: 'This operation is not permitted',
    remedy: 'No rule of the server permits the operation, and `unlisted_operations` is `deny`.',
  }),
  resource_uri_ambiguous: entry({
    status: 403,
    message: 'This spelling of a resource URI can mean too many things to be permitted',
    remedy:
      'The server has rules for resources, and the URI has control characters, too many escapes, dot segments or backslashes, is longer than 8 KiB, is a relative path or names another host (`file:`), or one message names more resources than can be compared with the rules. The log line says which. Clients write the URI as the server lists it.',
  }),
  legacy_client_rejected: entry({
    status: 400,
    message: 'This server does not serve clients of that protocol revision',
    remedy:
      '`legacy_clients: reject` is set for the server. Use `enforce` to serve old clients with the same checks as everyone.',
  }),
  origin_denied: entry({
    status: 403,
    message: 'Requests from this origin are not accepted',
    remedy: 'Add the origin to `cors.allowed_origins` if the web page that it names may call this server.',
  }),
  host_denied: entry({
    status: 403,
    message: 'Requests for this host are not accepted',
    remedy: 'Set `public_url` to the URL that clients use, or add the host to `allowed_hosts`.',
  }),

  // Can the request be read in exactly one way?
  request_malformed: entry({
    status: 400,
    jsonRpcCode: -32600,
    message: 'The HTTP request is malformed',
    remedy: 'The log line says which header or part of the request can be read in two ways.',
  }),
  route_not_found: entry({
    status: 404,
    message: 'Not found',
    remedy: 'Paths match exactly, final slash included. `open-mcp-auth-proxy check` prints the table of routes.',
  }),
  method_not_allowed: entry({
    status: 405,
    message: 'Method not allowed',
    remedy: 'The `Allow` header lists the methods of this endpoint.',
  }),
  body_unexpected: entry({
    status: 400,
    jsonRpcCode: -32600,
    message: 'This method takes no request body',
    remedy: 'GET, HEAD and DELETE carry no body in MCP.',
  }),
  body_too_large: entry({
    status: 413,
    message: 'The request body is too large',
    remedy: 'Raise `limits.body_bytes` if requests of this size are legitimate.',
  }),
  bodies_limited: entry({
    status: 503,
    message: 'Too many long requests at the same time',
    remedy:
      'Long request bodies found no room for `limits.body_idle_seconds`. Raise `limits.bodies_bytes` if there is memory for more of them; the log says who sends.',
  }),
  body_timeout: entry({
    status: 408,
    message: 'The request body did not arrive in time',
    remedy:
      'The client stopped sending. `limits.body_idle_seconds` bounds the wait between two pieces, and the whole of a long body for which others wait.',
  }),
  headers_too_many: entry({
    status: 431,
    message: 'The request has too many header fields',
    remedy: 'At most 100 header fields and 16 KiB are read.',
  }),
  media_type_unsupported: entry({
    status: 415,
    message: 'The request body must be application/json in UTF-8, without a content encoding',
    remedy: 'MCP messages are posted as `Content-Type: application/json`.',
  }),
  expectation_failed: entry({
    status: 417,
    message: 'The expectation cannot be met',
    remedy: 'Only `Expect: 100-continue` is understood.',
  }),
  json_invalid: entry({
    status: 400,
    jsonRpcCode: -32700,
    message: 'The request body is not valid JSON in UTF-8',
    remedy: 'The log line gives the byte position.',
  }),
  json_ambiguous: entry({
    status: 400,
    jsonRpcCode: -32600,
    message: 'The request body can be read in more than one way',
    remedy:
      'A repeated key, a key that differs from a reserved one in case only, or nesting deeper than 128. The log line says which.',
  }),
  message_invalid: entry({
    status: 400,
    jsonRpcCode: -32600,
    message: 'The request body is not a JSON-RPC 2.0 message that MCP allows here',
    remedy: 'The log line says which member is wrong.',
  }),
  params_invalid: entry({
    status: 400,
    jsonRpcCode: -32602,
    message: 'Invalid params: the request names what it is aimed at in a way that MCP does not allow',
    remedy: 'The log line says which parameter is missing, of another type or too long.',
  }),
  header_mismatch: entry({
    status: 400,
    jsonRpcCode: -32020,
    message: 'Header mismatch: an MCP header is missing, malformed or disagrees with the request body',
    remedy:
      'From 2026-07-28 on, MCP-Protocol-Version, Mcp-Method and Mcp-Name must agree with the body. In every revision, an MCP header comes once.',
  }),
  // "A request missing any required field is malformed; the server MUST reject it" (2026-07-28, basic/index, `_meta`).
  protocol_version_missing: entry({
    status: 400,
    jsonRpcCode: -32602,
    message: 'Invalid params: _meta lacks io.modelcontextprotocol/protocolVersion',
    remedy: 'From 2026-07-28 on, every request names its protocol version in the body as well as in MCP-Protocol-Version.',
  }),
  mcp_session_unknown: entry({
    status: 404,
    message: 'Session not found',
    remedy: 'The MCP session is over, belongs to someone else, or was opened before this proxy started. Clients initialize anew.',
  }),

  // Did the upstream answer?
  upstream_unreachable: entry({
    status: 502,
    message: 'The MCP server cannot be reached',
    remedy: 'Is it running, and is `upstream` of the server its address? The log line has the cause.',
  }),
  upstream_timeout: entry({
    status: 504,
    message: 'The MCP server did not answer in time',
    remedy:
      'Raise `upstream.response_timeout_seconds` (of a process: `request_timeout_seconds`, which progress begins anew) if the server may take longer.',
  }),
  upstream_invalid_response: entry({
    status: 502,
    message: 'The MCP server sent a response that cannot be passed on',
    remedy: 'The log line says what was wrong with the response.',
  }),
  upstream_redirected: entry({
    status: 502,
    message: 'The MCP server redirects, and is not followed',
    remedy:
      'Write the address that the log line names as `upstream` (a final slash matters to many servers), or set `upstream.follow_slash_redirects`. Clients are not told it: it is mostly a private one.',
  }),
  upstream_refused_credential: entry({
    status: 502,
    message: 'The MCP server did not accept the credential of the proxy',
    remedy: 'The MCP server asks for a credential of its own: set `upstream.headers` of the server.',
  }),

  upstream_ended: entry({
    status: 502,
    message: 'The MCP server ended before it answered',
    remedy: 'The process of a stdio server exited. The log line has the command and the last lines of its standard error.',
  }),
  upstream_busy: entry({
    status: 503,
    message: 'The MCP server cannot take this request at the moment',
    remedy:
      'A stdio server has `max_processes` processes, is started again after it failed, or does not read what it is sent; or answers that nobody reads take all of `limits.held_bytes`. The log line says which.',
  }),

  // Did a client or user get through our own authorization server?
  authorization_refused: entry({
    status: 400,
    message: 'The authorization request was refused',
    remedy: 'The authorization server told the client or the user why; the log line has the same reason with its detail.',
  }),
  sign_in_failed: entry({
    status: 400,
    message: 'The sign-in could not be completed',
    remedy:
      'Mostly a page that was left open for too long, or opened twice. The log line has the reason; the user starts again from the application.',
  }),
  sign_in_denied: entry({
    status: 403,
    message: 'This account may not sign in here',
    remedy:
      'The claims of the user meet no condition of `identity_provider.allow`, or `identity_provider.grant` gives none of the scopes asked for. The reason in the log says which.',
  }),
  identity_provider_unavailable: entry({
    status: 503,
    message: 'The identity provider cannot be asked at the moment',
    remedy: 'The identity provider does not answer, or answers nonsense. The log line has the cause. Users try again later.',
  }),
  store_unavailable: entry({
    status: 503,
    message: 'What signing in needs to remember cannot be reached at the moment',
    remedy:
      'The store of the broker (`broker.store`: Redis, Valkey or a SQLite file) cannot be asked or written. The log line has the cause. It is asked again with the next request.',
  }),
  client_unavailable: entry({
    status: 503,
    message: 'What this client publishes of itself cannot be fetched at the moment',
    remedy:
      'The metadata document or the keys of a client are at a URL that does not answer, answers something else, or is asked too often. The log line has the cause. Addresses that are not public need `broker.client_metadata.allow_private_network`.',
  }),
  registration_limited: entry({
    status: 429,
    message: 'Too many client registrations',
    remedy:
      'One address or the network around it registers more clients than `broker.registration.per_minute` permits, or `broker.registration.most_clients` are in use. Clients try again later.',
  }),
  sign_ins_limited: entry({
    status: 429,
    message: 'Too many sign-ins from this address',
    remedy:
      'One address begins more sign-ins than `broker.authorizations_per_minute` permits. Where many users come from one address, raise it; where a proxy in front hides theirs, set `trusted_proxies`.',
  }),
  token_requests_limited: entry({
    status: 429,
    message: 'Too many token requests from this address',
    remedy:
      'One address asks for more tokens than `broker.token_requests_per_minute` permits: a client that tries again without end, or many users behind one address. Where a proxy in front hides theirs, set `trusted_proxies`.',
  }),

  // And the rest
  client_gone: entry({
    status: 499,
    message: 'The client closed the connection',
    remedy: 'Nothing to do: the request to the MCP server was cancelled. Never sent, only logged.',
  }),
  shutting_down: entry({
    status: 503,
    message: 'The proxy is shutting down',
    remedy: 'Send the request again; another instance will answer it.',
  }),
  internal_error: entry({
    status: 500,
    jsonRpcCode: -32603,
    message: 'Internal error',
    remedy: 'This is a bug. The log line carries the stack; please report it.',
  }),
} as const satisfies Record<string, ErrorEntry>

/** A code of the error catalogue. */
export type ErrorCode = keyof typeof errorCatalogue

/** The catalogue's row for a code. */
export function findErrorEntry(code: ErrorCode): ErrorEntry {
  return errorCatalogue[code]
}

/**
 * The code of the JSON-RPC error object for a refusal: the one that JSON-RPC or MCP defines, else -31000 minus the HTTP status, which
 * lies outside the range that JSON-RPC reserves (2026-07-28, basic/index, Error Codes).
 */
export function jsonRpcCodeOf(code: ErrorCode): number {
  const row = findErrorEntry(code)
  return row.jsonRpcCode ?? -31000 - row.status
}

interface ProxyErrorOptions {
  /** Why, for the operator's log. Never sent to a client, never holds a secret. */
  readonly cause?: unknown
  /** Scopes that the operation needs, for the challenge of `scope_insufficient`. */
  readonly scopes?: readonly string[]
  /** Those of them that the token lacks. */
  readonly missingScopes?: readonly string[]
  /** Seconds after which another try makes sense, sent as `Retry-After`. */
  readonly retryAfter?: number
}

/** A refusal. Thrown by the steps of the pipeline, answered in one place. */
export class ProxyError extends Error {
  readonly code: ErrorCode
  readonly scopes: readonly string[] | undefined
  readonly missingScopes: readonly string[] | undefined
  readonly retryAfter: number | undefined

  /**
   * @param code - row of the catalogue
   * @param options - the operator's reason, and what the answer needs besides the row
   */
  constructor(code: ErrorCode, options: ProxyErrorOptions = {}) {
    // A refusal is an answer, not a bug: it needs no stack, and making one is most of what refusing a flood would cost.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(findErrorEntry(code).message, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'ProxyError'
    this.code = code
    this.scopes = options.scopes
    this.missingScopes = options.missingScopes
    this.retryAfter = options.retryAfter
  }
}
