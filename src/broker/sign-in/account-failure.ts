import { SIGN_IN_ERRORS, type SignInError } from '../pages/sign-in-errors.ts'
import { AccountError } from '../upstream-accounts/account-error.ts'
import type { SignInContext, SignInOptions } from './sign-in-context.ts'
import { sendFailureBack, sendSignInErrorBack } from './sign-in-result.ts'

/** The error page for an account that could not be connected; undefined for a failure of another kind. */
export function findAccountError(error: unknown): SignInError | undefined {
  if (!(error instanceof AccountError)) return undefined
  switch (error.kind) {
    case 'refused':
    case 'ended':
      return SIGN_IN_ERRORS.accountRefused
    case 'not_admitted':
      return SIGN_IN_ERRORS.account
    case 'suspicious':
      return SIGN_IN_ERRORS.accountSuspicious
    case 'unavailable':
      return SIGN_IN_ERRORS.accountUnavailable
    case 'unusable':
    case 'client_unknown':
      return SIGN_IN_ERRORS.accountUnusable
  }
}

/** Tells the audit of an account that was not connected. */
export function reportAccountError(
  error: unknown,
  about: { readonly subject: string; readonly server: string; readonly clientId?: string },
  { report }: Pick<SignInOptions, 'report'>,
): void {
  const { code = 'internal_error' } = findAccountError(error) ?? {}
  const detail = error instanceof Error ? error.message : String(error)
  report({ kind: 'account_connected', outcome: code, ...about, detail })
}

/** Shows the error page, with a link that reports the error to the client. */
export function sendAccountErrorBack(context: SignInContext, error: unknown, options: SignInOptions): Promise<void> {
  const found = findAccountError(error)
  return found === undefined ? sendFailureBack(context, error, options) : sendSignInErrorBack(context, found, error, options)
}
