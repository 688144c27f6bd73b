import type { IncomingMessage } from 'node:http'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { BrandPlan } from '../../core/brand.ts'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import { renderErrorPage } from '../pages/error-page.ts'
import { formatRedirectHost, isOnThisComputer, renderPage } from '../pages/page.ts'
import type { Middleware } from './middlewares.ts'

export interface OpenRedirectGuardOptions {
  /** Whether the configuration names the client. */
  readonly isKnown: (clientId: unknown) => boolean
  readonly brand: BrandPlan
  readonly findRequestId: (request: IncomingMessage) => string
}

/**
 * Answers a failed authorization request of an unknown client with a page instead of a redirect: otherwise a link to us could send a
 * browser to any address that an attacker registered (RFC 9700 §4.11.2). The page names the host and links to it. Applications on the
 * user's own computer and requests that accept no HTML are redirected at once.
 */
export function guardAgainstOpenRedirects({ isKnown, brand, findRequestId }: OpenRedirectGuardOptions): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.path !== BROKER_PATHS.provider.authorization || isKnown(ctx.query.client_id)) return
    const backTo = ctx.response.get('location')
    if (!isElsewhere(backTo) || hasCode(ctx) || isOnThisComputer(backTo) || !ctx.get('accept').includes('text/html')) return
    const text = `The application asked for something that this server does not support. Going back leads to ${formatRedirectHost(backTo)}.`
    const title = 'This request cannot be accepted'
    const page = renderPage(renderErrorPage({ title, text, requestId: findRequestId(ctx.req), backTo }), brand)
    ctx.remove('location')
    ctx.status = 400
    ctx.set({ ...page.headers })
    ctx.body = page.html
  }
}

/** Whether a redirect leads to a client. Redirects to our own pages have no host. */
function isElsewhere(location: string): boolean {
  return URL.parse(location) !== null
}

/** Whether the request was granted. Only the provider knows: a `code` in the URL may be part of the client's redirect URI. */
function hasCode(ctx: object): boolean {
  const { oidc } = ctx as { readonly oidc?: Pick<KoaContextWithOIDC['oidc'], 'entities'> }
  return oidc?.entities.AuthorizationCode !== undefined
}
