import { withBody } from '../core/call.ts'
import { dropFields } from '../core/header-fields.ts'
import type { RoutedCall } from '../core/route.ts'
import { setCallerMeta } from '../mcp/caller-meta.ts'

/**
 * Tells the upstream of a permitted call who calls, where it is configured to be told. Nothing that the client sends under one of those names
 * arrives: names with `_` or `.`, which frameworks fold into others, are never forwarded (`http/header-names.ts`).
 */
export function addIdentity(call: RoutedCall): RoutedCall {
  const { identity } = call.route
  if (identity === undefined) return call
  const headers = [...dropFields(call.headers, identity.ownNames), ...identity.formatHeaders(call)]
  const told = { ...call, headers, callerVariables: identity.listVariables?.(call.principal) }
  if (identity.describe === undefined || call.body === undefined) return told
  const body = setCallerMeta(call.body.toString(), identity.describe(call.principal))
  return withBody(told, Buffer.from(body))
}
