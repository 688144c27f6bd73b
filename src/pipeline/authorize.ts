import { ProxyError } from '../core/errors.ts'
import type { RequestRecord } from '../core/record.ts'
import type { RoutedCall } from '../core/route.ts'

/**
 * Permits the call or throws. A batch is permitted only when every operation in it is.
 *
 * @throws ProxyError `scope_insufficient` with every scope that the call needs, `policy_denied`, `resource_uri_ambiguous`
 */
export function authorize(call: RoutedCall, record: RequestRecord): void {
  if (!call.principal.hasAudience) return permitBySignature(call, record)
  const decision = call.route.policy.decide(call.principal, { path: call.route.path, operations: call.operations })
  record.decision = decision.effect
  if (decision.effect === 'permit') return
  const { scopes, missing, reason } = decision
  if (scopes) throw new ProxyError('scope_insufficient', { scopes, missingScopes: missing ?? scopes, cause: reason })
  throw new ProxyError(decision.code ?? 'policy_denied', { cause: reason })
}

/**
 * A token without an audience got past authentication only under `legacy_clients: signature_only`, which asks for no scopes either. The
 * condition is checked again, because this is the one way around policy.
 */
function permitBySignature(call: RoutedCall, record: RequestRecord): void {
  if (call.route.legacyClients !== 'signature_only' || call.route.kind === 'streamable_http')
    throw new ProxyError('token_audience_mismatch', { cause: 'the token names no audience' })
  record.decision = 'permit'
}
