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
  readonly assurance: Assurance
  /** Seconds since the epoch after which the token is no longer accepted, clock tolerance not included. */
  readonly expiresAt: number
  /** The same with clock tolerance: from then on nothing that was opened with the token may stay open. */
  readonly acceptedUntil: number
  /** All claims, for policy and mapping. Frozen; may hold personal data, never logged whole. */
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Identifies the owner of what an answer mints: MCP sessions, request states, processes. A user (issuer and subject) keeps them when the
 * client registers anew, as some do for a step-up. A machine has no user behind it: where the subject is absent or is the client itself
 * (RFC 9068 §2.2), the client id counts. Never shown.
 */
export function formatPrincipalKey({ issuer, subject, clientId }: Principal): string {
  const isUser = subject !== undefined && subject !== clientId
  return JSON.stringify(isUser ? [issuer, subject] : [issuer, subject ?? null, clientId ?? null])
}
