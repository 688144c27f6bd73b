import { BROKER_PATHS } from '../../../core/broker-paths.ts'
import type { Middleware } from '../middlewares.ts'

/** Parameters of an authorization response (RFC 6749 §4.1.2, §4.1.2.1, RFC 9207 §2). */
const RESPONSE_PARAMETERS = new Set(['code', 'state', 'iss', 'error', 'error_description', 'error_uri'])

/**
 * Sends every authorization response in the query of the redirect URI (RFC 6749 §4.1.2), which keeps its exact spelling (§3.1.2). Other
 * response modes would need pages with scripts, or show codes to the scripts of a page.
 *
 * Workaround for oidc-provider 9.13.3: it respells redirect URIs, and sends some errors in the fragment, also where the configuration
 * knows no response mode but `query`.
 */
export const redirectExactly: Middleware = async (ctx, next) => {
  const { response_mode: mode } = ctx.query
  const { authorization } = BROKER_PATHS.provider
  // A value that the provider does not know: it reports that to the client.
  if (ctx.path === authorization && typeof mode === 'string' && mode !== 'query')
    ctx.query = { ...ctx.query, response_mode: 'none_but_query' }
  await next()
  const { oidc } = ctx as { readonly oidc?: { readonly params?: { readonly redirect_uri?: unknown } } }
  const redirectUri = oidc?.params?.redirect_uri
  const location = URL.parse(ctx.response.get('location'))
  if (ctx.path.startsWith(authorization) && location !== null && typeof redirectUri === 'string')
    ctx.set('location', formatRedirect(redirectUri, location))
}

/** @param location - of the provider, which may have the redirect URI in another spelling and the response in the fragment */
function formatRedirect(redirectUri: string, location: URL): string {
  const all = [...location.searchParams, ...new URLSearchParams(location.hash.slice(1))]
  const response = all.filter(([name]) => RESPONSE_PARAMETERS.has(name))
  const names = new Set(response.map(([name]) => name))
  const [address = '', query = ''] = redirectUri.split(/\?(.*)/s)
  const kept = query.split('&').filter((pair) => pair !== '' && !names.has([...new URLSearchParams(pair).keys()][0] ?? ''))
  return `${address}?${[...kept, String(new URLSearchParams(response))].filter((part) => part !== '').join('&')}`
}
