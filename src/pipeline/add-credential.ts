import type { Call } from '../core/call.ts'

/**
 * Gives a permitted call the upstream credential of its caller, where the server is configured to have one.
 *
 * @throws ProxyError `token_invalid`, `identity_provider_unavailable`
 */
export function addCredential(call: Call): Call | Promise<Call> {
  const { findCredential } = call.route
  return findCredential === undefined ? call : fetchCredential(call, findCredential)
}

async function fetchCredential(call: Call, findCredential: NonNullable<Call['route']['findCredential']>): Promise<Call> {
  const token = await findCredential(call.principal)
  return { ...call, headers: [...call.headers, 'authorization', `Bearer ${token}`] }
}
