import { isAccessKey } from '../core/access-key.ts'
import { ProxyError } from '../core/errors.ts'
import type { RoutedCall } from '../core/route.ts'
import type { Identity } from './authenticate.ts'

/**
 * Gives a permitted call the credential that its upstream is configured to get. The caller's own token is for us alone (2026-07-28, security
 * considerations, Access Token Privilege Restriction) unless it is that credential.
 *
 * @throws ProxyError `token_invalid`, `identity_provider_unavailable`; `access_key_unsupported`: no MCP server gets an access key, and there is
 * no sign-in behind one
 */
export function addCredential(call: RoutedCall, { token }: Identity): RoutedCall | Promise<RoutedCall> {
  const { credential } = call.route
  if (credential.kind !== 'none' && isAccessKey(token))
    throw new ProxyError('access_key_unsupported', { cause: `the credential of the upstream is ${credential.kind}` })
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
