import type { z } from 'zod'
import type { GrantRulePlan } from '../../core/plan/issuer-plan.ts'
import type { grantRule } from '../schema/grant-rule.ts'

/** A rule without a condition is for all. */
export function createGrantRule({ claim, values, scopes }: z.output<typeof grantRule>): GrantRulePlan {
  return { when: claim === undefined || values === undefined ? undefined : { claim, values }, scopes }
}
