import type { Principal } from '../core/principal.ts'

/** A caller that does not exist, and of whom nothing is known. */
export const NO_CALLER: Principal = {
  issuer: 'https://doctor.invalid',
  subject: undefined,
  clientId: undefined,
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  expiresAt: 0,
  acceptedUntil: 0,
  claims: {},
}
