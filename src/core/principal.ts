/**
 * What a verified token proves: that it was issued for one of the server's audiences, or only that its issuer signed it (or calls it active),
 * for whatever service. The second passes only where `legacy_clients: signature_only` applies (`pipeline/authenticate.ts`).
 */
export type Assurance = 'audience' | 'signature_only'

/** Who calls: what a verified access token says of its subject and its client. */
export interface Principal {
  /** Issuer identifier (`iss`, RFC 8414 §2), exactly as configured. */
  readonly issuer: string
  /** `sub`, unique within the issuer. Absent for tokens without a subject (some machine clients). */
  readonly subject: string | undefined
  /** `client_id` or `azp`. */
  readonly clientId: string | undefined
  /** Every scope of the token, from all configured claims. */
  readonly scopes: ReadonlySet<string>
  /** Groups that the issuer's configuration reads from the token. */
  readonly groups: readonly string[]
  /** Why the groups are not known, though there may be some: then no condition on groups holds. */
  readonly groupsUnknown?: string
  readonly assurance: Assurance
  /** Seconds since the epoch after which the token is no longer accepted, clock tolerance not included. */
  readonly expiresAt: number
  /** The same with clock tolerance: from then on nothing that was opened with the token may stay open. */
  readonly acceptedUntil: number
  /** The access key that was shown instead of a token; left out for tokens. */
  readonly accessKey?: { readonly name: string; readonly id: string }
  /** All claims, for policy and mapping. Frozen; may hold personal data, never logged whole. */
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Identifies the owner of what an answer mints: MCP sessions, request states, processes. A user (issuer and subject) keeps them when the
 * client registers anew, as some do for a step-up. A machine has no user behind it: where the subject is absent or is the client itself
 * (RFC 9068 §2.2), the client id counts. Users whose tokens have no subject are told apart by what else speaks of them, for their client
 * alone. Never shown.
 */
export function formatPrincipalKey({ issuer, subject, clientId, claims }: Principal): string {
  if (subject === undefined) return JSON.stringify([issuer, null, clientId ?? null, ...listUserClaims(claims)])
  return JSON.stringify(subject === clientId ? [issuer, subject, clientId] : [issuer, subject])
}

/**
 * What speaks of a user: the name (RFC 7662 §2.2; django-oauth-toolkit gives no `sub`), the sign-in (OpenID Connect Front-Channel
 * Logout 1.0 §3; Keycloak without its scope `basic`), and names that need not be unique.
 */
const USER_CLAIMS = ['username', 'sid', 'preferred_username', 'email'] as const

/** The first that is there, with its name, or nothing. */
function listUserClaims(claims: Principal['claims']): readonly string[] {
  for (const name of USER_CLAIMS) {
    const value = claims[name]
    if (typeof value === 'string' && value !== '') return [name, value]
  }
  return []
}
