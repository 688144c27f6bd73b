import type { Plan } from '../../core/plan/plan.ts'
import { WIDTH, wrap } from '../wrap.ts'

/**
 * Asks the issuers that were written down whether they are there. The file is written either way: they may be out of reach from here, or
 * not started yet.
 *
 * @returns what to tell, line by line; nothing where all of them answer
 */
export async function askIssuers(plan: Plan): Promise<string[]> {
  // Loaded only now: nothing else of this command needs it.
  const { findIssuerProblems } = await import('../../doctor/find-issuer-problems.ts')
  const problems = await findIssuerProblems(plan)
  return problems.flatMap(({ about, says, fix }) => wrap(`warning: ${about}: ${says} ${fix ?? ''}`.trim(), WIDTH))
}
