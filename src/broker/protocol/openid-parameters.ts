import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { Middleware } from './middlewares.ts'

/** Parameters of OpenID Connect that shape the ID token alone, or prove what one said. */
const OF_THE_ID_TOKEN = ['acr_values', 'claims', 'claims_locales', 'id_token_hint', 'nonce'] as const

/**
 * Some clients send parameters of OpenID Connect without asking for `openid`. For plain OAuth they are parameters like any others that a
 * server does not know (RFC 6749 §3.1); but who asks for a fresh sign-in by `max_age` gets one, with the ID token that says so.
 */
export const settleOpenIdParameters: Middleware = async (ctx, next) => {
  const { scope } = ctx.query
  const isOpenId = typeof scope === 'string' && scope.split(' ').includes('openid')
  if (ctx.path !== BROKER_PATHS.provider.authorization || isOpenId || Array.isArray(scope)) return next()
  const query = { ...ctx.query }
  for (const name of OF_THE_ID_TOKEN) delete query[name]
  if (query.max_age !== undefined) query.scope = `${scope ?? ''} openid`.trim()
  ctx.query = query
  return next()
}
