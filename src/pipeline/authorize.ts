import { ProxyError } from '../core/errors.ts'
import type { Decision } from '../core/ports.ts'
import type { RoutedCall } from '../core/route.ts'

/**
 * Permits the call or throws. A batch is permitted only when every operation in it is.
 *
 * @throws ProxyError `scope_insufficient` with every scope that the call needs, `policy_denied`, `resource_uri_ambiguous`
 */
export function authorize(call: RoutedCall): void {
  const decision = decide(call)
  if (decision.effect === 'permit') return
  const { scopes, missing, reason } = decision
  if (scopes) throw new ProxyError('scope_insufficient', { scopes, missingScopes: missing ?? scopes, cause: reason })
  throw new ProxyError(decision.code ?? 'policy_denied', { cause: reason })
}

/** Where a signature is enough (`checkAssurance` in authenticate.ts), no scopes are asked for either. */
function decide({ principal, route, operations }: RoutedCall): Decision {
  if (principal.assurance === 'signature_only') return PERMIT
  return route.policy.decide(principal, { path: route.path, operations })
}

const PERMIT: Decision = { effect: 'permit' }
