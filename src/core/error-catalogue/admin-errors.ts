import type { ErrorEntry } from './error-entry.ts'

/** Refusals of actions at the admin listener. */
export const adminErrors = {
  admin_input_invalid: {
    status: 400,
    message: 'The action cannot be done with this input',
    remedy: '`detail` of the answer says which member is missing, unknown or malformed.',
  },
  admin_target_unknown: {
    status: 404,
    message: 'There is no such user, client, session or access key',
    remedy: 'Names are compared letter by letter. `users list`, `clients list`, `sessions list` and `keys list` show them.',
  },
  deny_list_full: {
    status: 503,
    message: 'The deny list has no room',
    remedy:
      'It holds 20,000 users, clients, tokens and sessions, 5,000 of which only operators can use. Lift what is no longer needed, or deny for shorter times; what logouts added ends with `max_lifetime_seconds` of the issuer. What the broker keeps of the user or client has ended.',
  },
} as const satisfies Record<string, ErrorEntry>
