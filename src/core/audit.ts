import type { OperationOutcome } from './decision.ts'

/** The audit log, as far as requests have to know it. */
export interface Audit {
  /** Whether nothing new may begin, since it could not be recorded. */
  isBlocked(): boolean
  /** Whether digests of arguments are recorded. */
  readonly digestsArguments: boolean
}

/** What the audit log says of one operation. */
export interface AuditedOperation extends OperationOutcome {
  /** SHA-256 of the bytes of `arguments`, as they stood in the body, in hexadecimal. */
  readonly argumentsDigest: string | undefined
  /** Those bytes themselves, cut where they are long; undefined unless a rule asks for them. */
  readonly argumentsText: string | undefined
}
