import { BROKER_PATHS } from '../../../core/broker-paths.ts'
import type { Middleware } from '../middlewares.ts'

/**
 * Lets pages in a browser register (the MCP Inspector does).
 *
 * Workaround for oidc-provider 9.13.3: its registration endpoint has no CORS.
 */
export const allowRegistrationFromPages: Middleware = async (ctx, next) => {
  if (ctx.path !== BROKER_PATHS.provider.registration) return next()
  ctx.set('Access-Control-Allow-Origin', '*')
  if (ctx.method !== 'OPTIONS') return next()
  ctx.set('Access-Control-Allow-Methods', 'POST')
  ctx.set('Access-Control-Allow-Headers', ctx.get('Access-Control-Request-Headers') || 'content-type')
  ctx.set('Access-Control-Max-Age', '3600')
  ctx.status = 204
}
