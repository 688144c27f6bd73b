import { isIP } from 'node:net'
import { ProxyError } from '../core/errors.ts'
import type { AdminPlan } from '../core/plan/admin-plan.ts'
import { isSameText } from '../core/same-text.ts'
import type { RequestHead } from '../http/request-head.ts'

/**
 * Keeps web pages out, which reach loopback through a browser on the machine. Asks for the token where a request would change something:
 * programs on the machine reach loopback, too.
 *
 * @param site - `Sec-Fetch-Site`: a page that embeds ours sends no `Origin`
 * @returns whether the token was asked for, and shown
 * @throws ProxyError `host_denied`, `origin_denied`, `method_not_allowed`, `token_missing`, `token_invalid`
 */
export function checkCaller(head: RequestHead, site: string | string[] | undefined, plan: AdminPlan): boolean {
  if (!isKnownHost(head.host, plan.allowedHosts))
    throw new ProxyError('host_denied', { cause: `Host ${JSON.stringify(head.host)}` })
  if (head.origin !== undefined) throw new ProxyError('origin_denied', { cause: `Origin ${JSON.stringify(head.origin)}` })
  if (site !== undefined && site !== 'none' && site !== 'same-origin')
    throw new ProxyError('origin_denied', { cause: `Sec-Fetch-Site ${JSON.stringify(site)}` })
  if (head.method === 'GET' || head.method === 'HEAD') return false
  checkToken(head, plan.token)
  return true
}

/** DNS rebinding needs a name: with an address in `Host`, the page would be one of ours. */
function isKnownHost(host: string, allowed: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '')
  return name === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || allowed.includes(name) || allowed.includes(host)
}

const SCHEME = 'Bearer '

function checkToken({ authorization, method }: RequestHead, token: string | undefined): void {
  if (token === undefined) throw new ProxyError('method_not_allowed', { cause: `${method} needs admin.token, which is not set` })
  const [value, ...more] = authorization
  if (value === undefined) throw new ProxyError('token_missing')
  if (more.length > 0 || !isSameText(value, `${SCHEME}${token}`))
    throw new ProxyError('token_invalid', { reason: 'not_active', cause: 'not the value of admin.token' })
}
