import { type ErrorCode, type ErrorReason, findErrorEntry } from './errors.ts'
import type { RequestRecord } from './record.ts'

/** A request that failed through no fault of its client. Nothing of the user or the token. */
export interface RecentError {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly server: string | undefined
  readonly code: ErrorCode
  readonly reason: ErrorReason | undefined
  readonly requestId: string
}

export interface RecentErrors {
  note(record: Pick<RequestRecord, 'server' | 'code' | 'reason' | 'requestId'>): void
  /** The newest first. */
  list(): readonly RecentError[]
}

/** What clients cause (4xx) is left out: any of them could fill it up. */
const MIN_STATUS = 500

/** Of one code, reason and server. Who can cause one kind (tokens of an issuer that is down) must not push the others out. */
const MAX_OF_A_KIND = 10

/** Keeps the last errors. @param max - how many */
export function createRecentErrors(max: number, now: () => number): RecentErrors {
  const kept: RecentError[] = []
  return {
    note({ server, code, reason, requestId }) {
      if (code === undefined || findErrorEntry(code).status < MIN_STATUS) return
      kept.push({ at: now(), server, code, reason, requestId })
      const ofKind = kept.filter((error) => error.code === code && error.reason === reason && error.server === server)
      const oldest = ofKind.length > MAX_OF_A_KIND ? ofKind[0] : kept.length > max ? kept[0] : undefined
      if (oldest !== undefined) kept.splice(kept.indexOf(oldest), 1)
    },
    list: () => kept.toReversed(),
  }
}
