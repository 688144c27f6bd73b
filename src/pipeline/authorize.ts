import type { Decision, Denial, OperationOutcome, RequestFacts } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import type { RoutedCall } from '../core/route.ts'
import type { Exchange } from './exchange.ts'
import { isLong } from './long-bodies.ts'
import { keepRoom } from './read-body.ts'

/**
 * Asks policy about a call, all of its operations together. Where rules may look at the arguments of a long body, other requests need not wait for that: while it
 * takes place, another configuration may come into force.
 *
 * @param facts - what expressions may look at besides
 * @param onOutcome - called with what was decided on each operation alone
 * @throws ProxyError `client_gone`
 */
export function authorize(
  exchange: Exchange,
  { principal, route, operations, body }: RoutedCall,
  facts: RequestFacts,
  onOutcome?: (outcome: OperationOutcome) => void,
): Decision | Promise<Decision> {
  // Where a signature is enough (`checkAssurance` in authenticate.ts), nothing else is asked for either.
  if (principal.assurance === 'signature_only') return PERMIT
  const { path, policy } = route
  const question = { path, operations, facts, onOutcome }
  const { decideApart } = policy
  if (decideApart === undefined || body === undefined || !isLong(body)) return policy.decide(principal, question)
  const noting = { ...question, facts: noteQuestions(exchange, facts) }
  return keepRoom(exchange, (sender) => decideApart(principal, noting, sender))
}

/** What policy has looked at in a long body it may have to look at again (`open-answer.ts`). */
function noteQuestions(exchange: Exchange, facts: RequestFacts): RequestFacts {
  const readArguments: RequestFacts['readArguments'] = (operation) => {
    exchange.asksForArguments = true
    return facts.readArguments(operation)
  }
  return { ...facts, readArguments }
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
