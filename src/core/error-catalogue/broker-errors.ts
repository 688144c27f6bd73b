import type { ErrorEntry } from './error-entry.ts'

/** Refusals of our own authorization server, the broker. */
export const brokerErrors = {
  authorization_refused: {
    status: 400,
    message: 'The authorization request was refused',
    remedy: 'The authorization server told the client or the user why; the log line has the same reason with its detail.',
  },
  sign_in_failed: {
    status: 400,
    message: 'The sign-in could not be completed',
    remedy:
      'Mostly a page that was left open for too long, or opened twice. The log line has the reason; the user starts again from the application.',
  },
  sign_in_denied: {
    status: 403,
    message: 'This account may not sign in here',
    remedy:
      'The claims of the user meet no condition of `identity_provider.allow`, or `identity_provider.grant` gives none of the scopes asked for. The reason in the log says which.',
  },
  identity_provider_unavailable: {
    status: 503,
    message: 'The identity provider cannot be asked at the moment',
    remedy: 'The identity provider does not answer, or answers nonsense. The log line has the cause. Users try again later.',
  },
  store_unavailable: {
    status: 503,
    message: 'What signing in needs to remember cannot be reached at the moment',
    remedy:
      'The store of the broker (`broker.store`: Redis, Valkey or a SQLite file) cannot be asked or written. The log line has the cause. It is asked again with the next request.',
  },
  client_unavailable: {
    status: 503,
    message: 'What this client publishes of itself cannot be fetched at the moment',
    remedy:
      'The metadata document or the keys of a client are at a URL that does not answer, answers something else, or is asked too often. The log line has the cause. Addresses that are not public need `broker.client_metadata.allow_private_network`.',
  },
  registration_limited: {
    status: 429,
    message: 'Too many client registrations',
    remedy:
      'One address or the network around it registers more clients than `broker.registration.per_minute` permits, or `broker.registration.most_clients` are in use. Clients try again later.',
  },
  sign_ins_limited: {
    status: 429,
    message: 'Too many sign-ins from this address',
    remedy:
      'One address begins more sign-ins than `broker.authorizations_per_minute` permits. Where many users come from one address, raise it; where a proxy in front hides theirs, set `trusted_proxies`.',
  },
  token_requests_limited: {
    status: 429,
    message: 'Too many token requests from this address',
    remedy:
      'One address asks for more tokens than `broker.token_requests_per_minute` permits: a client that tries again without end, or many users behind one address. Where a proxy in front hides theirs, set `trusted_proxies`.',
  },
} as const satisfies Record<string, ErrorEntry>
