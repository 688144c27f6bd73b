import { errorCatalogue } from '../core/errors.ts'
import type { EventKind, OnEvent } from '../core/security-event.ts'
import { type Counter, createCounter } from './counter.ts'
import type { Metric } from './metric.ts'

/** Counts sign-ins, consents, tokens and changes. Labels hold what standards and the catalogue name, never what clients or users send. */
export interface EventMeter {
  readonly metrics: readonly Metric[]
  readonly onEvent: OnEvent
}

type Kind = EventKind['kind']
type Row = readonly [kind: Kind, name: string, help: string]

/** Each with the label `outcome`. */
const OF_BROKER: readonly Row[] = [
  ['authorization', 'authorizations', 'Authorization requests that were answered.'],
  ['sign_in', 'sign_ins', 'Users who came back from the identity provider.'],
  ['consent', 'consents', 'Decisions of users, and remembered ones, about what a client may do.'],
  ['registration', 'registrations', 'Registrations of clients.'],
  ['token_revoked', 'revoked_tokens', 'Requests of clients to revoke a token.'],
  ['token_reused', 'reused_tokens', 'Refresh tokens and codes that were used twice.'],
  ['sign_in_ended', 'ended_sign_ins', 'Sign-ins that the identity provider or the configuration ended.'],
  ['key_rotated', 'key_rotations', 'Changes of the key that signs tokens.'],
]
const OF_PROCESS: readonly Row[] = [
  ['reload', 'reloads', 'Reloads of the configuration.'],
  ['admin_action', 'admin_actions', 'Actions of administrators.'],
]
/** Seldom, and each a reason for an alert: their first must not be missed. */
const BEGINNINGS: Partial<Record<Kind, readonly string[]>> = {
  token_reused: ['invalid_grant'],
  sign_in_ended: ['success'],
  token_revoked: ['success'],
  key_rotated: ['success'],
  reload: ['success', 'failure'],
  admin_action: ['success', 'failure'],
}

/** @param hasBroker - whether users sign in here */
export function createEventMeter(hasBroker: boolean): EventMeter {
  const tokens = createCounter('mcp_auth_proxy_token_requests', 'Requests for tokens.', ['grant', 'outcome'])
  const rows = hasBroker ? [...OF_BROKER, ...OF_PROCESS] : OF_PROCESS
  const counters = new Map(rows.map((row) => [row[0], createOutcomeCounter(row)]))
  return {
    metrics: [tokens, ...counters.values()],
    onEvent(event) {
      if (event.kind === 'token_issued' || event.kind === 'token_refreshed' || event.kind === 'token_exchanged')
        tokens.add(labelGrant(event.grantType), labelOutcome(event.outcome))
      else counters.get(event.kind)?.add(labelOutcomeOf(event.kind, event.outcome))
    },
  }
}

function createOutcomeCounter([kind, name, help]: Row): Counter {
  const counter = createCounter(`mcp_auth_proxy_${name}`, help, ['outcome'])
  for (const outcome of BEGINNINGS[kind] ?? []) counter.begin(outcome)
  return counter
}

/** What can go wrong with a file or an action is told by the log; here it is `failure`, which has a series from the beginning. */
function labelOutcomeOf(kind: Kind, outcome: string): string {
  if (BEGINNINGS[kind]?.includes('failure') !== true) return labelOutcome(outcome)
  return outcome === 'success' ? 'success' : 'failure'
}

/** Errors of authorization servers: RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1, RFC 7591 §3.2.2, RFC 8707 §2, OpenID Connect Core §3.1.2.6. */
const OAUTH_ERRORS = new Set(
  [
    'invalid_request unauthorized_client access_denied unsupported_response_type invalid_scope server_error temporarily_unavailable',
    'invalid_client invalid_grant unsupported_grant_type unsupported_token_type',
    'invalid_redirect_uri invalid_client_metadata invalid_software_statement unapproved_software_statement',
    'invalid_target interaction_required login_required account_selection_required consent_required',
    'invalid_request_uri invalid_request_object request_not_supported request_uri_not_supported registration_not_supported',
  ].flatMap((names) => names.split(' ')),
)

/** An identity provider may answer with any error. */
function labelOutcome(outcome: string): string {
  return outcome === 'success' || Object.hasOwn(errorCatalogue, outcome) || OAUTH_ERRORS.has(outcome) ? outcome : 'other'
}

const GRANTS = new Map(
  ['authorization_code', 'refresh_token', 'client_credentials', 'jwt-bearer', 'token-exchange'].map((name) => [
    name.includes('-') ? `urn:ietf:params:oauth:grant-type:${name}` : name,
    name.replace('-', '_'),
  ]),
)

/** Clients may ask for any grant. */
function labelGrant(grantType: string | undefined): string {
  return GRANTS.get(grantType ?? '') ?? 'other'
}
