import type { ErrorEntry } from './error-entry.ts'

/** Refusals of our own authorization server, the broker. */
export const brokerErrors = {
  authorization_refused: {
    status: 400,
    message: 'The authorization request was refused',
    remedy: 'The authorization server told the client or the user why; the log line has the details.',
  },
  sign_in_failed: {
    status: 400,
    message: 'The sign-in could not be completed',
    remedy:
      'Usually a page was left open for too long or opened twice. The log line has the cause. The user starts again from the application.',
  },
  sign_in_denied: {
    status: 403,
    message: 'This account may not sign in here',
    remedy:
      'The claims of the user match no condition of `identity_provider.allow`, or `identity_provider.grant` gives none of the requested scopes. The log line says which.',
  },
  identity_provider_unavailable: {
    status: 503,
    message: 'The identity provider is unavailable at the moment',
    remedy:
      'The identity provider does not answer, or its answer is invalid. The log line has the cause. Users can try again later.',
  },
  store_unavailable: {
    status: 503,
    message: 'The sign-in storage is unavailable at the moment',
    remedy:
      'The store of the broker (`store`: Redis, Valkey or a SQLite file) cannot be read or written. The log line has the cause. The proxy tries again with the next request.',
  },
  client_unavailable: {
    status: 503,
    message: 'The client metadata or keys cannot be fetched at the moment',
    remedy:
      'The metadata document or the keys of a client are at a URL that does not answer, returns something else, or is fetched too often. The log line has the cause. Addresses that are not public need `broker.client_metadata.allow_private_network`.',
  },
  registration_limited: {
    status: 429,
    message: 'Too many client registrations',
    remedy:
      'An address or its network registers more clients than `broker.registration.per_minute` permits, or `broker.registration.most_clients` are in use. Clients can try again later.',
  },
  sign_ins_limited: {
    status: 429,
    message: 'Too many sign-ins from this address',
    remedy:
      'An address starts more sign-ins than `broker.authorizations_per_minute` permits. Raise it if many users share an address; set `trusted_proxies` if a proxy in front hides their addresses.',
  },
  token_requests_limited: {
    status: 429,
    message: 'Too many token requests from this address',
    remedy:
      'An address sends more token requests than `broker.token_requests_per_minute` permits: a client retries in a loop, or many users share the address. Set `trusted_proxies` if a proxy in front hides their addresses.',
  },
} as const satisfies Record<string, ErrorEntry>
