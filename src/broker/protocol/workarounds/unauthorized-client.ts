import { isErrorOf, type Middleware } from '../middlewares.ts'

/** The description by which the library's answer is recognized. */
const GRANT_NOT_ALLOWED = 'requested grant type is not allowed for this client'

/**
 * Answers `unauthorized_client` to a client that may not use a grant (RFC 6749 §5.2).
 *
 * Workaround for oidc-provider 9.13.3: it answers `invalid_request`, which tells nothing apart but for its description.
 */
export const answerUnauthorizedClient: Middleware = async (ctx, next) => {
  await next()
  if (isErrorOf(ctx.body, 'invalid_request') && ctx.body.error_description === GRANT_NOT_ALLOWED)
    ctx.body.error = 'unauthorized_client'
}
