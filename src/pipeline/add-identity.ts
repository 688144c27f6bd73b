import { dropFields } from '../core/header-fields.ts'
import type { RoutedCall } from '../core/route.ts'

/**
 * Tells the upstream of a permitted call who calls, where it is configured to be told. Nothing that the client sends under one of those names
 * arrives: names with `_` or `.`, which frameworks fold into others, are never forwarded (`http/header-names.ts`).
 */
export function addIdentity(call: RoutedCall): RoutedCall {
  const { identity } = call.route
  if (identity === undefined) return call
  return { ...call, headers: [...dropFields(call.headers, identity.ownNames), ...identity.formatHeaders(call)] }
}
