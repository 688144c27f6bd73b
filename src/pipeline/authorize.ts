import type { Decision, Denial, OperationOutcome, RequestFacts } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import type { RoutedCall } from '../core/route.ts'

/**
 * Asks policy about a call, all of its operations together.
 *
 * @param facts - what expressions may look at besides
 * @param onOutcome - called with what was decided on each operation alone
 */
export function authorize(
  { principal, route, operations }: RoutedCall,
  facts: RequestFacts,
  onOutcome?: (outcome: OperationOutcome) => void,
): Decision {
  // Where a signature is enough (`checkAssurance` in authenticate.ts), nothing else is asked for either.
  if (principal.assurance === 'signature_only') return PERMIT
  return route.policy.decide(principal, { path: route.path, operations, facts, onOutcome })
}

const PERMIT: Decision = Object.freeze({ effect: 'permit' })

/**
 * Throws unless the decision permits the call.
 *
 * @throws ProxyError `scope_insufficient` with every scope that the call needs, `policy_denied`, `target_hidden`, `resource_uri_ambiguous`
 */
export function checkPermitted(decision: Decision): void {
  if (decision.effect !== 'permit') throw createRefusal(decision)
}

function createRefusal(denial: Denial): ProxyError {
  const { reason, scopes, missing, hidden, message } = denial
  const options = {
    cause: reason,
    ...(scopes && { scopes, missingScopes: missing ?? scopes }),
    ...(hidden && { hidden }),
    ...(message !== undefined && { toldReason: message }),
  }
  if (denial.ground === undefined) return new ProxyError(denial.code, options)
  return new ProxyError(denial.code, { ...options, reason: denial.ground })
}
