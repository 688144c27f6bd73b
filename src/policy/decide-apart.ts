import type { Decision, OperationOutcome, PolicyQuestion } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import type { Sender } from '../core/reading-thread.ts'
import { decide, type PathPolicy } from './decide.ts'
import { ApartOutcomes } from './expression/apart.ts'
import { Inquiry } from './inquiry.ts'
import { createWork } from './work.ts'

/**
 * Decides again and again: each time with what the expressions that look at arguments came to in a thread of their own, until none is left
 * that was not asked there. Mostly that is twice, and once where no expression looks at any. A decision that ran out of work asks for more when
 * it is made anew, since what it found until then costs it nothing.
 *
 * @throws as `ReadingThread`: without an answer nothing is decided
 */
export async function decideApart(
  principal: Principal,
  { path, operations, facts, onOutcome }: PolicyQuestion,
  policy: PathPolicy,
  sender: Sender,
): Promise<Decision> {
  const apart = new ApartOutcomes()
  const readArguments = (operation: Operation) => facts.readArguments(operation)
  const tryToDecide = (): Decision | undefined => {
    const outcomes: OperationOutcome[] = []
    const keep = onOutcome && ((outcome: OperationOutcome) => void outcomes.push(outcome))
    const inquiry = new Inquiry(principal, { path, facts, readArguments, apart }, createWork(), undefined)
    const decision = decide(inquiry, operations, policy, keep)
    if (apart.isIncomplete) return undefined
    for (const outcome of outcomes) onOutcome?.(outcome)
    return decision
  }
  const { server, revision, address } = facts
  const about = { principal, server, request: { revision, path, address }, now: facts.now() }
  for (;;) {
    const decision = tryToDecide()
    if (decision !== undefined) return decision
    await apart.settle(about, readArguments, sender)
  }
}
