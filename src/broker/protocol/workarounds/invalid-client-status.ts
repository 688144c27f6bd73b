import { isErrorOf, type Middleware } from '../middlewares.ts'

/**
 * Answers 401 to a client that is not known any more, upon which clients register again (RFC 6749 §5.2 permits 400 and 401).
 *
 * Workaround for oidc-provider 9.13.3: it answers 400 where the metadata document of a client cannot be had, and 401 to all others.
 */
export const answerInvalidClient: Middleware = async (ctx, next) => {
  await next()
  if (ctx.status === 400 && isErrorOf(ctx.body, 'invalid_client')) ctx.status = 401
}
