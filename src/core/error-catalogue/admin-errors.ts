import type { ErrorEntry } from './error-entry.ts'

/** Refusals of actions at the admin listener. */
export const adminErrors = {
  admin_input_invalid: {
    status: 400,
    message: 'The action cannot be done with this input',
    remedy: '`detail` of the answer says which member is missing, unknown or malformed.',
  },
} as const satisfies Record<string, ErrorEntry>
