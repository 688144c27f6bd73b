import { type ErrorCode, errorCatalogue, findErrorEntry, jsonRpcCodeOf } from './errors.ts'

/** One row of the error catalogue, for people. */
export interface ErrorRow {
  readonly code: ErrorCode
  readonly status: number
  /** `error` of the challenge (RFC 6750 §3.1). */
  readonly challengeError: string | undefined
  readonly jsonRpcCode: number
  readonly message: string
  readonly remedy: string
  /** What can be behind the code, where several things can. */
  readonly reasons: readonly ErrorReasonRow[]
}

/** One reason beneath a code. */
export interface ErrorReasonRow {
  readonly reason: string
  readonly meaning: string
}

/** Every way in which a request can be refused, in the order of the catalogue. */
export function listErrors(): ErrorRow[] {
  return (Object.keys(errorCatalogue) as ErrorCode[]).map((code) => {
    const { status, oauthError, message, remedy, reasons = {} } = findErrorEntry(code)
    const rows = Object.entries(reasons).map(([reason, meaning]) => ({ reason, meaning }))
    return { code, status, challengeError: oauthError, jsonRpcCode: jsonRpcCodeOf(code), message, remedy, reasons: rows }
  })
}
