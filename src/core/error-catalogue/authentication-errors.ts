import type { ErrorEntry } from './error-entry.ts'

/** The access token is missing, wrong or cannot be checked. */
export const authenticationErrors = {
  token_missing: {
    status: 401,
    message: 'Authorization required',
    remedy: 'Normal for a first request: the client reads the challenge and signs the user in.',
  },
  token_invalid: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token is malformed, revoked, or its signature does not verify',
    reasons: {
      malformed: 'It is no token, or no JWT that can be read in exactly one way.',
      header_not_accepted:
        'Its header has a parameter that would change its meaning: `crit`, `b64`, `zip`, `enc`, or `cty` of a nested token.',
      algorithm_not_accepted: 'Its algorithm is not among `algorithms` of the issuer.',
      key_unknown: 'The issuer publishes no key for its `kid` and algorithm.',
      signature_invalid: 'Its signature does not verify.',
      claim_invalid: 'A claim is missing, has the wrong type or names another client.',
      not_yet_valid: '`iat` or `nbf` is in the future. Compare the clocks.',
      lifetime_too_long: 'It lives longer than `max_lifetime_seconds`.',
      not_active: 'Introspection calls it inactive.',
      introspection_missing: 'It is opaque, and no issuer of the server has `introspection`.',
      revoked: 'An operator or its issuer revoked it, its user, its client or its session, or the sign-in behind it has ended.',
      identity_provider_session_ended:
        'The MCP server gets the user’s token of the identity provider, and there is none any more.',
      access_key_malformed: 'It begins like an access key, but characters are missing, mistyped or too many.',
      access_key_unknown: 'It is an access key that is not known here: another proxy’s, or a deleted one.',
      access_key_revoked: 'It is an access key that was revoked.',
      access_key_issuer:
        'It is an access key for a user of an issuer that is not configured any more. Add the issuer again, or make another key.',
      access_key_address: 'It is an access key that may not come from this address. Check `trusted_proxies`, too.',
      no_user: 'The MCP server gets the user’s token of the identity provider, and the token belongs to a machine.',
      delegation_refused: 'The authorization server that gives the MCP server a token for this user does not accept this one.',
      refused_by_upstream: 'The MCP server gets this token and answered 401.',
    },
    remedy:
      'The log line names the check that failed. Compare the token with the issuer, keys and algorithms of the configuration.',
  },
  token_expired: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token has expired',
    remedy:
      'The client refreshes or signs in again; an access key is replaced by a new one (`keys create`). If a new token is refused, compare the clocks of this machine and of the issuer.',
  },
  token_issuer_unknown: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token comes from an issuer that this server does not accept',
    remedy: 'Compare the `iss` claim with `issuers` of the server, character by character, including a final slash.',
  },
  token_audience_mismatch: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token was not issued for this server',
    reasons: {
      audience_missing: 'No claim names an audience.',
      audience_other: 'The audience is another one.',
      access_key_server: 'An access key for other servers.',
      audience_shared: 'An identity assertion names audiences besides this authorization server.',
    },
    remedy:
      'Configure the issuer to put the resource identifier into `aud`, or add the value that it uses to `audience` of the server.',
  },
  token_type_wrong: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The token presented is not an access token',
    reasons: {
      id_token: 'An ID token.',
      sender_constrained: 'A sender-constrained token (`cnf`), which is no bearer token.',
      other_use: 'A refresh, logout or other token, by what it says of itself.',
      assertion_type: 'An identity assertion without its `typ`.',
    },
    remedy:
      'The client sent an ID token, a refresh token, a proof or a sender-constrained token instead of a bearer access token.',
  },
  token_request_malformed: {
    status: 400,
    oauthError: 'invalid_request',
    message: 'The request presents its access token in a way that cannot be accepted',
    reasons: {
      presented_twice: 'More than one token, or one in more than one place.',
      method_not_permitted: 'A token where `bearer_methods` does not permit it.',
      syntax: 'A header, parameter or token with the wrong syntax.',
      browser_navigation: 'A browser followed a link or form that holds a token.',
    },
    remedy:
      'Send exactly one token, in one `Authorization: Bearer …` header (or in another way that `bearer_methods` of the server permits).',
  },
  logout_refused: {
    status: 400,
    message: 'The logout token is not accepted',
    remedy:
      'An issuer posted a logout token that is wrong, old, or for another client. The log line says what is wrong. Compare `backchannel_logout.client_ids` of the issuer with the client for which it is set up there.',
  },
  issuer_unavailable: {
    status: 503,
    message: 'The access token cannot be checked at the moment',
    reasons: {
      keys_unavailable: 'Its keys cannot be fetched.',
      introspection_failed: 'Its introspection endpoint does not answer, or answers wrongly.',
      store_unavailable: 'The store cannot be read that holds access keys and what was revoked.',
    },
    remedy:
      'The issuer (its metadata, keys or introspection endpoint) cannot be reached, and there are no cached keys to use. The proxy retries by itself.',
  },
} as const satisfies Record<string, ErrorEntry>
