/** What there is of a token beside its header, before anything is verified. */
export interface ShownToken {
  /** Network of the client that showed it. */
  readonly asker: string
  /** `iat`, whatever it is. */
  readonly issuedAt: unknown
}

export const UNSHOWN: ShownToken = { asker: '', issuedAt: undefined }

/**
 * Whether a token may have been issued after a moment. `iat` may be cut to whole seconds, and come from a clock that differs by the
 * tolerance; what lies further in the future is invalid in any case.
 *
 * @param moment - in seconds since the epoch, as are the others
 */
export function mayBeIssuedSince(moment: number, { issuedAt }: ShownToken, now: number, tolerance: number): boolean {
  return typeof issuedAt === 'number' && issuedAt + 1 + tolerance > moment && issuedAt <= now + tolerance
}
