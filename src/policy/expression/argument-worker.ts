import { BoundedMap } from '../../core/bounded-map.ts'
import { answerInThread } from '../../core/reading-thread.ts'
import { createWork } from '../work.ts'
import { createArgumentReader } from './arguments.ts'
import { type CompiledExpression, compileExpression, type Outcome } from './expression.ts'
import type { ExpressionQuestions } from './expression-questions.ts'

/** The thread that evaluates expressions about the arguments of long bodies: see `apart.ts`. */

const MAX_COMPILED = 1000
const compiled = new BoundedMap<string, CompiledExpression>(MAX_COMPILED)

function compile(source: string): CompiledExpression {
  const known = compiled.get(source)
  if (known !== undefined) return known
  const expression = compileExpression(source, 'require')
  compiled.set(source, expression)
  return expression
}

answerInThread(({ about, operations, expressions }: ExpressionQuestions): readonly Outcome[] => {
  const [work, shadowWork] = [createWork(), createWork()]
  const facts = operations.map(({ operation, args }) => ({ ...about, operation, args: createArgumentReader(args) }))
  return expressions.map(({ source, at, isShadow }) => {
    const asked = facts[at]
    if (asked === undefined) throw new Error('an operation that is not of this question')
    return compile(source).evaluate(asked, isShadow ? shadowWork : work)
  })
})
