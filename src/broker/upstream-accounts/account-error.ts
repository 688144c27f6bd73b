import { omitTokens } from '../../core/omit-tokens.ts'

/** Why an account at an MCP server could not be connected or used. */
export type AccountErrorKind =
  /** MCP server or authorization server cannot be reached, or answers nonsense. */
  | 'unavailable'
  /** They answer, and cannot be used as they are configured, here or there. */
  | 'unusable'
  /** The user, or the authorization server for the user, said no. */
  | 'refused'
  /** What the user once connected is not good any more. */
  | 'ended'
  /** The authorization server does not know our client any more. */
  | 'client_unknown'
  /** The user may not sign in any more. */
  | 'not_admitted'
  /** The answer is not one to what was asked: a mix-up or an attack. */
  | 'suspicious'

interface AccountErrorOptions extends ErrorOptions {
  readonly remedy?: string
}

/** The message is for the operator's log and holds no secrets. */
export class AccountError extends Error {
  override readonly name = 'AccountError'
  readonly kind: AccountErrorKind
  /** What the operator can do, for the doctor. */
  readonly remedy: string | undefined

  constructor(kind: AccountErrorKind, message: string, { remedy, ...options }: AccountErrorOptions = {}) {
    super(message, options)
    this.kind = kind
    this.remedy = remedy
  }
}

/** Longest text of a stranger that is logged. */
const MAX_TEXT = 200

/** What an authorization server says, for the log. */
export function quoteUntrusted(text: unknown): string {
  if (typeof text !== 'string') return 'nothing readable'
  const plain = omitTokens(text).replace(/[^\x20-\x7e]/g, ' ')
  return JSON.stringify(plain.slice(0, MAX_TEXT))
}
