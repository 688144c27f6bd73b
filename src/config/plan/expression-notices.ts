import { findSlips } from '../../policy/expression/slips.ts'
import type { AccessEntryConfig, RuleConfig } from '../schema/access.ts'

/** Expressions that say something else than they seem to. No mistakes, since they may be meant so. */
export function listExpressionSlips(entries: readonly AccessEntryConfig[], rules: readonly RuleConfig[]): string[] {
  return [
    ...entries.flatMap(({ who }) =>
      who === undefined ? [] : findSlips(who, 'who').map((slip) => `who of an access entry: ${slip}`),
    ),
    ...rules.flatMap(({ require: needed }) =>
      needed === undefined ? [] : findSlips(needed, 'require').map((slip) => `require of a rule: ${slip}`),
    ),
  ]
}
