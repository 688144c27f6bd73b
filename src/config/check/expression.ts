import { type CompiledExpression, compileExpression } from '../../policy/expression/expression.ts'
import { ExpressionError } from '../../policy/expression/syntax.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { CheckContext } from './check-context.ts'

/**
 * Compiles an expression to see whether it is one.
 *
 * @param use - `who` sees neither operation nor arguments
 * @returns undefined where there is none, or none that could be used
 */
export function checkExpression(
  source: string | undefined,
  use: 'who' | 'require',
  at: ConfigPath,
  { report }: CheckContext,
): CompiledExpression | undefined {
  if (source === undefined || source.trim() === '') return undefined
  try {
    return compileExpression(source, use)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    report(at, {
      reason: `${error.message} (at character ${error.offset + 1})`,
      fix: 'Correct the expression: docs/authorization.md, "Expressions".',
    })
    return undefined
  }
}
