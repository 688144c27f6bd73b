import type { Operation } from '../../core/operation.ts'
import type { Principal } from '../../core/principal.ts'

/** What the expressions of one decision may look at, besides operations and their arguments. */
export interface AskedOf {
  readonly principal: Principal
  readonly server: string
  readonly request: { readonly revision: string; readonly path: string; readonly address: string }
  readonly now: number
}

/** What is asked of the thread that evaluates expressions about arguments. */
export interface ExpressionQuestions {
  readonly about: AskedOf
  readonly operations: readonly AskedOperation[]
  readonly expressions: readonly AskedExpression[]
}

interface AskedOperation {
  readonly operation: Operation
  /** The JSON text of its arguments. */
  readonly args: string | undefined
}

interface AskedExpression {
  readonly source: string
  /** Which of the operations. */
  readonly at: number
  /** What is only tried has a budget of its own. */
  readonly isShadow: boolean
}
