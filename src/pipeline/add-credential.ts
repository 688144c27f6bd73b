import type { RoutedCall } from '../core/route.ts'

/**
 * Gives a permitted call the upstream credential of its caller, where the server is configured to have one.
 *
 * @throws ProxyError `token_invalid`, `identity_provider_unavailable`
 */
export function addCredential(call: RoutedCall): RoutedCall | Promise<RoutedCall> {
  const { findCredential } = call.route
  return findCredential === undefined ? call : fetchCredential(call, findCredential)
}

async function fetchCredential(
  call: RoutedCall,
  findCredential: NonNullable<RoutedCall['route']['findCredential']>,
): Promise<RoutedCall> {
  const token = await findCredential(call.principal)
  return { ...call, headers: [...call.headers, 'authorization', `Bearer ${token}`] }
}
