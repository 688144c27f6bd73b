import type { AccountQuestion } from './account-question.ts'
import { adminErrors } from './error-catalogue/admin-errors.ts'
import { authenticationErrors } from './error-catalogue/authentication-errors.ts'
import { authorizationErrors } from './error-catalogue/authorization-errors.ts'
import { brokerErrors } from './error-catalogue/broker-errors.ts'
import type { ErrorEntry } from './error-catalogue/error-entry.ts'
import { processErrors } from './error-catalogue/process-errors.ts'
import { requestErrors } from './error-catalogue/request-errors.ts'
import { upstreamErrors } from './error-catalogue/upstream-errors.ts'
import type { Operation } from './operation.ts'

/**
 * The error catalogue: every way in which a request can be refused, by area. The code is stable API: it is in logs, metric labels and
 * `docs/errors.md`, which is generated from here. The message is safe for clients; what the operator needs to know is in `cause`.
 */
export const errorCatalogue = {
  ...authenticationErrors,
  ...authorizationErrors,
  ...requestErrors,
  ...upstreamErrors,
  ...brokerErrors,
  ...adminErrors,
  ...processErrors,
} as const satisfies Record<string, ErrorEntry>

/** A code of the error catalogue. */
export type ErrorCode = keyof typeof errorCatalogue

/** The reasons of each code; `never` where it has none. */
type ReasonsByCode = {
  [Code in ErrorCode]: (typeof errorCatalogue)[Code] extends { readonly reasons: infer Reasons } ? keyof Reasons & string : never
}

type CodeWithReasons = { [Code in ErrorCode]: [ReasonsByCode[Code]] extends [never] ? never : Code }[ErrorCode]

/** Any reason of the catalogue. */
export type ErrorReason = ReasonsByCode[ErrorCode]

/** The reasons of one code. */
export type ReasonOf<Code extends CodeWithReasons> = ReasonsByCode[Code]

/** The catalogue's row for a code. */
export function findErrorEntry(code: ErrorCode): ErrorEntry {
  return errorCatalogue[code]
}

/**
 * The code of the JSON-RPC error object for a refusal: the one that JSON-RPC or MCP defines, else -31000 minus the HTTP status, which
 * lies outside the range that JSON-RPC reserves (2026-07-28, basic/index, Error Codes).
 */
export function jsonRpcCodeOf(code: ErrorCode): number {
  const row = findErrorEntry(code)
  return row.jsonRpcCode ?? -31000 - row.status
}

interface ProxyErrorOptions {
  /** Why, for the operator's log. Never sent to a client, never holds a secret. */
  readonly cause?: unknown
  /** Scopes that the operation needs, for the challenge of `scope_insufficient`. */
  readonly scopes?: readonly string[]
  /** Those of them that the token lacks. */
  readonly missingScopes?: readonly string[]
  /** Operations whose targets the caller must not learn of, for `target_hidden`. */
  readonly hidden?: readonly Operation[]
  /** Where and how the user is asked to connect an account, for `account_required`. */
  readonly account?: AccountQuestion
  /** What the configuration tells callers who are refused (`reason` of a rule). */
  readonly toldReason?: string
  /** Seconds after which another try makes sense, sent as `Retry-After`. */
  readonly retryAfter?: number
}

type WithReason<Code extends CodeWithReasons> = ProxyErrorOptions & { readonly reason: ReasonsByCode[Code] }

/** A code, and what else is known: the reason where the code has some. Only reasons of the catalogue compile. */
type ProxyErrorArguments =
  | [code: Exclude<ErrorCode, CodeWithReasons>, options?: ProxyErrorOptions]
  | { [Code in CodeWithReasons]: [code: Code, options: WithReason<Code>] }[CodeWithReasons]

/** A refusal. Thrown by the steps of the pipeline, answered in one place. */
export class ProxyError extends Error {
  readonly code: ErrorCode
  readonly reason: ErrorReason | undefined
  readonly scopes: readonly string[] | undefined
  readonly missingScopes: readonly string[] | undefined
  readonly hidden: readonly Operation[] | undefined
  readonly account: AccountQuestion | undefined
  readonly toldReason: string | undefined
  readonly retryAfter: number | undefined

  /** Takes the row of the catalogue, its reason and cause for the operator, and what the answer needs besides. */
  constructor(...[code, options]: ProxyErrorArguments) {
    // A refusal is an answer, not a bug: it needs no stack, and making one is most of what refusing a flood would cost.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(findErrorEntry(code).message, options?.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'ProxyError'
    this.code = code
    this.reason = options !== undefined && 'reason' in options ? options.reason : undefined
    this.scopes = options?.scopes
    this.missingScopes = options?.missingScopes
    this.hidden = options?.hidden
    this.account = options?.account
    this.toldReason = options?.toldReason
    this.retryAfter = options?.retryAfter
  }
}

/** What was thrown, as a refusal. Anything that is not one is a bug. */
export function toProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error })
}
