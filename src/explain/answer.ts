import type { Decision, Denial } from '../core/decision.ts'
import { describeCause } from '../core/describe-cause.ts'
import { findErrorEntry, type ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { formatUnknownTarget } from '../mcp/unknown-target.ts'
import { listScopesToAskFor } from '../oauth/challenge.ts'

/** What a caller gets for a decision, in the words of a test. */
export type Outcome = 'permit' | 'deny' | 'challenge' | 'hide'

const OUTCOMES: Readonly<Record<Denial['code'], Outcome>> = {
  scope_insufficient: 'challenge',
  policy_denied: 'deny',
  target_hidden: 'hide',
  resource_uri_ambiguous: 'deny',
}

/** What a refused caller gets. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number
  /** Of the catalogue. */
  readonly code: string
  readonly message: string
  /** What the configuration tells the caller. */
  readonly reason?: string
  /** The scopes of the challenge; undefined where there is none. */
  readonly challengeScopes?: readonly string[]
  /** `target_hidden`: the JSON-RPC error of a name that does not exist. */
  readonly error?: unknown
}

/** What stands around a decision and shapes the answer. */
export interface AnswerFacts {
  readonly principal: Principal
  readonly comparedScopes: ReadonlySet<string>
  readonly revision: string
  /** Whether messages are posted to an endpoint of HTTP+SSE. */
  readonly isHttpSse: boolean
}

export function outcomeOf(decision: Decision): Outcome {
  return decision.effect === 'permit' ? 'permit' : OUTCOMES[decision.code]
}

/** What the pipeline answers; undefined where the call passes. */
export function findAnswer(decision: Decision, facts: AnswerFacts): Answer | undefined {
  if (decision.effect === 'permit') return undefined
  const { status, message } = findErrorEntry(decision.code)
  const { code, scopes = [], hidden = [], message: reason } = decision
  if (code === 'scope_insufficient')
    return { status, code, message, challengeScopes: listScopesToAskFor(facts.principal.scopes, facts.comparedScopes, scopes) }
  if (code !== 'target_hidden') return { status, code, message, ...(reason !== undefined && { reason }) }
  const error = hidden[0] && JSON.parse(formatUnknownTarget(hidden[0], facts.revision))
  return { status: facts.isHttpSse ? 400 : status, code, message, error }
}

/** What a caller gets whose token is refused, or cannot be checked. */
export function describeRefusedToken(error: ProxyError): Answer & { readonly cause: string } {
  const { status, message } = findErrorEntry(error.code)
  return { status, code: error.code, message, cause: describeCause(error) }
}
