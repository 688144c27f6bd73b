import type { ErrorCode, ProxyError } from '../../core/errors.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { ErrorContent } from './error-page.ts'

/** Why a sign-in failed, for the error page and the log. */
export interface SignInError extends Pick<ErrorContent, 'title' | 'text'> {
  readonly status: number
  readonly code: ErrorCode
  /** The error for the client, where it can be redirected to (RFC 6749 §4.1.2.1). */
  readonly oauthError: 'access_denied' | 'login_required' | 'server_error' | 'temporarily_unavailable'
}

/** How long a user may take over sign-in and consent. */
export const SIGN_IN_MINUTES = 15

export const SIGN_IN_ERRORS = {
  over: {
    status: 400,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This sign-in has expired',
    text: `A sign-in must be completed within ${SIGN_IN_MINUTES} minutes. This one took longer, was already completed, or was started in another browser.`,
  },
  forged: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This sign-in was not started here',
    text: 'This response belongs to a sign-in that was started in another browser, or before this browser lost its cookies. If someone sent you a link, do not use it.',
  },
  malformed: {
    status: 400,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This form cannot be read',
    text: 'It was not sent by our page. Go back to the application and start again.',
  },
  form: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This form cannot be accepted',
    text: 'It was not sent by our page, or this browser does not keep cookies.',
  },
  account: {
    status: 403,
    code: 'sign_in_denied',
    oauthError: 'access_denied',
    title: 'This account has no access',
    text: 'You are signed in, but your account is not allowed to use this server. Contact the operator of this server, or sign in with another account.',
  },
  scopes: {
    status: 403,
    code: 'sign_in_denied',
    oauthError: 'access_denied',
    title: 'This account has no access',
    text: 'You are signed in, but your account has none of the permissions that the application requested.',
  },
  refused: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'You are not signed in',
    text: 'The sign-in was canceled or denied.',
  },
  stale: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'login_required',
    title: 'A fresh sign-in is required',
    text: 'The application requires you to sign in again, and the identity provider did not confirm that you did.',
  },
  suspicious: {
    status: 400,
    code: 'sign_in_failed',
    oauthError: 'server_error',
    title: 'The sign-in could not be verified',
    text: 'The response of the identity provider does not match the request. You were not signed in.',
  },
  unavailable: {
    status: 503,
    code: 'identity_provider_unavailable',
    oauthError: 'temporarily_unavailable',
    title: 'Signing in is not possible right now',
    text: 'The identity provider is not responding correctly. Try again in a few minutes.',
  },
  unusable: {
    status: 503,
    code: 'identity_provider_unavailable',
    oauthError: 'server_error',
    title: 'Signing in is not possible right now',
    text: 'The identity provider and this server are not configured to work together. Contact the operator of this server.',
  },
  accountRefused: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'Your account was not connected',
    text: 'You, or the service where your account is, denied access to it. The MCP server cannot be used without it.',
  },
  accountSuspicious: {
    status: 400,
    code: 'sign_in_failed',
    oauthError: 'server_error',
    title: 'Your account could not be connected',
    text: 'The response of the service where your account is does not match the request. Nothing was connected.',
  },
  accountUnavailable: {
    status: 503,
    code: 'upstream_token_unavailable',
    oauthError: 'temporarily_unavailable',
    title: 'Your account cannot be connected right now',
    text: 'The service where your account is does not respond correctly. Try again in a few minutes.',
  },
  accountUnusable: {
    status: 502,
    code: 'upstream_token_misconfigured',
    oauthError: 'server_error',
    title: 'Your account cannot be connected',
    text: 'The service where your account is and this server do not work together. Contact the operator of this server.',
  },
  otherUser: {
    status: 403,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This link is for another user',
    text: 'You are signed in as another user than the one this link was made for. Nothing was connected. If someone sent you the link, do not use it.',
  },
  linkOver: {
    status: 400,
    code: 'sign_in_failed',
    oauthError: 'access_denied',
    title: 'This link has expired',
    text: 'Links to connect an account work for an hour. Use the application again to get a new one.',
  },
  store: {
    status: 503,
    code: 'store_unavailable',
    oauthError: 'temporarily_unavailable',
    title: 'Signing in is not possible right now',
    text: 'This server cannot reach a service that it needs. Try again in a few minutes.',
  },
  client: {
    status: 503,
    code: 'client_unavailable',
    oauthError: 'temporarily_unavailable',
    title: 'This application cannot be verified right now',
    text: 'The address where the application publishes its details is not responding correctly. Try again in a few minutes.',
  },
  busy: {
    status: 429,
    code: 'sign_ins_limited',
    oauthError: 'temporarily_unavailable',
    title: 'Too many sign-ins',
    text: 'Too many sign-ins were started from your network. Try again in a minute.',
  },
  internal: {
    status: 500,
    code: 'internal_error',
    oauthError: 'server_error',
    title: 'Something went wrong',
    text: 'The sign-in could not be completed. Try again. If the problem persists, contact the operator of this server.',
  },
} as const satisfies Record<string, SignInError>

/** Errors for temporary outages that neither the user nor the client has caused. */
const OUTAGES: ReadonlyMap<ErrorCode, SignInError> = new Map<ErrorCode, SignInError>([
  ['store_unavailable', SIGN_IN_ERRORS.store],
  ['client_unavailable', SIGN_IN_ERRORS.client],
])

/** The error page for an outage. */
export function explainOutage({ code }: ProxyError): SignInError {
  return OUTAGES.get(code) ?? SIGN_IN_ERRORS.internal
}

/** The error page for an error of the identity provider. */
export function findSignInError(error: unknown): SignInError {
  if (!(error instanceof IdentityProviderError)) return SIGN_IN_ERRORS.internal
  // The code was already used, or has expired.
  return error.kind === 'ended' ? SIGN_IN_ERRORS.over : SIGN_IN_ERRORS[error.kind]
}
