import { hash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import type { EndpointHandler } from '../core/endpoint-request.ts'
import { toProxyError } from '../core/errors.ts'
import { readForm } from '../core/read-form.ts'
import type { Store } from '../core/store.ts'
import { type Logout, type LogoutIssuer, verifyLogoutToken } from './logout-token.ts'

export interface LogoutEndpointOptions {
  readonly issuers: readonly LogoutIssuer[]
  readonly store: Store
  readonly clock: Clock
  /** Ends what the user has. */
  readonly onLogout: (logout: Logout) => Promise<void>
}

/** Tokens that were used, until their age refuses them. */
const USED = 'LogoutToken'

/** Takes the requests by which issuers tell that a user has logged out (OpenID Connect Back-Channel Logout 1.0 §2.5). */
export function createLogoutEndpoint(options: LogoutEndpointOptions): EndpointHandler {
  return async (incoming) => {
    const { request, response, address, note } = incoming
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST')
      return send(response, 405, { error: 'invalid_request', error_description: 'logout tokens are posted' })
    }
    const [token, ...more] = (await readForm(request))?.getAll('logout_token') ?? []
    try {
      if (token === undefined || more.length > 0) return send(response, 400, describe('the form needs one logout_token'))
      await take(await verifyLogoutToken(token, options.issuers, options.clock, address), options)
      send(response, 200, undefined)
    } catch (error) {
      const { code, cause } = toProxyError(error)
      if (code !== 'logout_refused') throw error
      note(code, cause)
      send(response, 400, describe('the logout token is not accepted'))
    }
  }
}

/**
 * A token counts once (§2.6, `jti`): sent again it would end what the user has signed in to since. What failed was not done, and is sent again.
 */
async function take(logout: Logout, { store, onLogout }: LogoutEndpointOptions): Promise<void> {
  const { issuer, jti, staleAt } = logout
  const id = hash('sha256', JSON.stringify([issuer, jti]), 'base64url')
  // It was done then.
  if (!(await store.add(USED, id, '1', { expiresAt: staleAt }))) return
  try {
    await onLogout(logout)
  } catch (error) {
    await store.take(USED, id)
    throw error
  }
}

const describe = (text: string) => ({ error: 'invalid_request', error_description: text })

function send(response: ServerResponse, status: number, body: object | undefined): void {
  const text = body === undefined ? '' : JSON.stringify(body)
  response.writeHead(status, {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(text),
    // §2.8.
    'cache-control': 'no-store',
  })
  response.end(text)
}
