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
    message: 'The access token is malformed or its signature does not verify',
    remedy:
      'The log line names the check that failed. Compare the token with the issuer, keys and algorithms of the configuration.',
  },
  token_expired: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token has expired',
    remedy: 'The client refreshes or signs in again. If it happens at once, compare the clocks of this machine and the issuer.',
  },
  token_issuer_unknown: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token comes from an issuer that this server does not accept',
    remedy: 'Compare the `iss` claim, letter by letter and with its final slash, with `issuers` of the server.',
  },
  token_audience_mismatch: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The access token was not issued for this server',
    remedy: 'Have the issuer put the resource identifier into `aud`, or list the value it uses under `audience` of the server.',
  },
  token_type_wrong: {
    status: 401,
    oauthError: 'invalid_token',
    message: 'The token presented is not an access token',
    remedy:
      'The client sent an ID token, a refresh token, a proof or a sender-constrained token where a bearer access token belongs.',
  },
  token_request_malformed: {
    status: 400,
    oauthError: 'invalid_request',
    message: 'The request presents its access token in a way that cannot be accepted',
    remedy:
      'Exactly one token, in one `Authorization: Bearer …` header (or another way that `bearer_methods` of the server permits).',
  },
  issuer_unavailable: {
    status: 503,
    message: 'The access token cannot be checked at the moment',
    remedy:
      'The issuer (its metadata, keys or introspection endpoint) cannot be reached and no usable keys are kept. It is asked again by itself.',
  },
} as const satisfies Record<string, ErrorEntry>
