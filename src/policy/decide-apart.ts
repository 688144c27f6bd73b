import type { Decision, OperationOutcome, PolicyQuestion } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import type { Sender } from '../core/reading-thread.ts'
import { decide, type PathPolicy } from './decide.ts'
import { ApartOutcomes } from './expression/apart.ts'
import { Inquiry } from './inquiry.ts'
import { createWork } from './work.ts'

/**
 * Decides twice: first to learn which expressions look at arguments, then with what these came to in a thread of their own. The first decision
 * counts where there are none.
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
  const decision = tryToDecide()
  if (decision !== undefined) return decision
  const { server, revision, address } = facts
  await apart.settle({ principal, server, request: { revision, path, address }, now: facts.now() }, readArguments, sender)
  const settled = tryToDecide()
  if (settled === undefined) throw new Error('a condition that was not asked for')
  return settled
}
