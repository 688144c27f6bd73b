import type { IncomingMessage } from 'node:http'
import { type Configuration, errors } from 'oidc-provider'
import { renderErrorPage } from '../pages/error-page.ts'
import { renderPage } from '../pages/page.ts'
import { explainOutage, SIGN_IN_ERRORS } from '../pages/sign-in-errors.ts'
import type { Branded } from '../sign-in/sign-in-result.ts'
import { findOutage } from '../storage/outage.ts'

/** Renders errors of which no client can be told by a redirect. */
export function createErrorRenderer(
  findRequestId: (request: IncomingMessage) => string,
  { brand }: Branded,
): NonNullable<Configuration['renderError']> {
  return (ctx, out, error) => {
    if (out.error === 'invalid_client') ctx.status = 401
    if (ctx.accepts('html', 'json') === 'json') {
      ctx.body = out
      return
    }
    const page = renderPage(renderErrorPage({ ...explain(out.error, error), requestId: findRequestId(ctx.req) }), brand)
    ctx.set({ ...page.headers })
    ctx.body = page.html
  }
}

function explain(code: string, error: Error): { title: string; text: string } {
  const outage = findOutage(error)
  if (outage !== undefined) return explainOutage(outage)
  if (error instanceof errors.SessionNotFound) return SIGN_IN_ERRORS.over
  if (code === 'invalid_client')
    return {
      title: 'This application is not registered',
      text: 'Its registration may have expired. Remove this server from the application and add it again.',
    }
  if (code === 'invalid_redirect_uri')
    return {
      title: 'This request cannot be trusted',
      text: 'It would have sent you to an address that the application did not register. You were not redirected.',
    }
  if (code === 'server_error')
    return { title: 'Something went wrong', text: 'Try again. If the problem persists, contact the operator of this server.' }
  return {
    title: 'This request cannot be accepted',
    text: 'The application asked for something that this server does not support.',
  }
}
