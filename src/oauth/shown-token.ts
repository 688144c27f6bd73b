/** What there is of a token beside its header, before anything is verified. */
export interface ShownToken {
  /** Address of the client that showed it: all of a network are one asker, which is found out only where a key is missing. */
  readonly asker: string
  /** `iat`, of any type. */
  readonly issuedAt: unknown
}

/**
 * Whether a token says that it was issued after a point in time, or in the same second, by a clock like ours.
 *
 * @param moment - in seconds since the epoch, as are the others
 */
export function saysIssuedSince(moment: number, { issuedAt }: ShownToken, now: number, tolerance: number): boolean {
  return typeof issuedAt === 'number' && issuedAt >= Math.floor(moment) && issuedAt <= now + tolerance
}

export const UNSHOWN: ShownToken = { asker: '', issuedAt: undefined }

/**
 * Whether a token may have been issued after a point in time. `iat` may be truncated to whole seconds and may come from a clock that differs
 * by the tolerance; a token from further in the future is invalid in any case.
 *
 * @param moment - in seconds since the epoch, as are the others
 */
export function mayBeIssuedSince(moment: number, { issuedAt }: ShownToken, now: number, tolerance: number): boolean {
  return typeof issuedAt === 'number' && issuedAt + 1 + tolerance > moment && issuedAt <= now + tolerance
}
