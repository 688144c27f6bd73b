import type { RoutedCall } from '../core/route.ts'
import type { Identity } from './authenticate.ts'

/**
 * Gives a permitted call the credential that its upstream is configured to get. The caller's own token is for us alone (2026-07-28, security
 * considerations, Access Token Privilege Restriction) unless it is that credential.
 *
 * @throws ProxyError `token_invalid`, `identity_provider_unavailable`
 */
export function addCredential(call: RoutedCall, { token }: Identity): RoutedCall | Promise<RoutedCall> {
  const { credential } = call.route
  switch (credential.kind) {
    case 'none':
      return call
    case 'access_token':
      return addBearerToken(call, token)
    case 'identity_provider':
      return credential.find(call.principal).then((found) => addBearerToken(call, found))
  }
}

function addBearerToken(call: RoutedCall, token: string): RoutedCall {
  return { ...call, headers: [...call.headers, 'authorization', `Bearer ${token}`] }
}
