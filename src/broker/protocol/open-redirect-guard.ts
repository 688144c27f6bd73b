import type { IncomingMessage } from 'node:http'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { BrandPlan } from '../../core/plan/broker-plan.ts'
import { renderErrorPage } from '../pages/error-page.ts'
import { formatRedirectHost, isOnThisComputer, renderPage } from '../pages/page.ts'
import type { Middleware } from './middlewares.ts'

export interface StayOptions {
  /** Whether the configuration names a client: such are no strangers. */
  readonly isKnown: (clientId: unknown) => boolean
  readonly brand: BrandPlan
  readonly findTraceId: (request: IncomingMessage) => string
}

/**
 * Keeps a browser here that a stranger's client has sent with a request that can only fail: with nothing but a link to us it would end
 * up wherever that client says (RFC 9700 §4.11.2). A person sees where that is, and goes there or not. Applications on the user's own
 * computer are no place to be lured to, and what is no browser cannot be lured: both are told at once.
 */
export function stayWithMistakes({ isKnown, brand, findTraceId }: StayOptions): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.path !== BROKER_PATHS.provider.authorization || isKnown(ctx.query.client_id)) return
    const backTo = ctx.response.get('location')
    if (!isElsewhere(backTo) || hasCode(ctx) || isOnThisComputer(backTo) || !ctx.get('accept').includes('text/html')) return
    const text = `The application asked for something that is not possible here. Going back leads to ${formatRedirectHost(backTo)}.`
    const title = 'This request cannot be accepted'
    const page = renderPage(renderErrorPage({ title, text, traceId: findTraceId(ctx.req), backTo }), brand)
    ctx.remove('location')
    ctx.status = 400
    ctx.set({ ...page.headers })
    ctx.body = page.html
  }
}

/** Whether a redirect leads to a client; those to pages of ours have no host. */
function isElsewhere(location: string): boolean {
  return URL.parse(location) !== null
}

/** Whether the request was granted. Only the provider knows: what the address says of it may be part of the client's redirect URI. */
function hasCode(ctx: object): boolean {
  const { oidc } = ctx as { readonly oidc?: Pick<KoaContextWithOIDC['oidc'], 'entities'> }
  return oidc?.entities.AuthorizationCode !== undefined
}
