import { createWork, spend, type Work } from '../work.ts'
import { compileNode } from './compile.ts'
import type { ExpressionFacts } from './facts.ts'
import { facts, type KnownFacts, listKnownFacts, type NamedFact, records, type Use } from './names.ts'
import { type Compilation, type Context, type Evaluate, STEP, TOO_MUCH } from './program.ts'
import { ExpressionError, parseSyntax } from './syntax.ts'
import { mayHold, toTruth } from './truth.ts'
import { isFailure, type Value } from './value.ts'

/**
 * What an expression comes to. `unknown`: that depends on arguments that are not known. `error`: it cannot be told, or not without a
 * mistake; the reason names what is missing or does not fit, and holds no value of a token or a call.
 */
export type Outcome =
  | { readonly value: true }
  | { readonly value: false }
  | { readonly value: 'unknown' }
  | { readonly value: 'error'; readonly reason: string }

/** An expression of the configuration, ready to be asked. */
export interface CompiledExpression {
  readonly source: string
  /** Whether it looks at the arguments: only then they are read, and without them it may be unknown. */
  readonly readsArguments: boolean
  /** Whether it looks at method, kind or target of the operation. */
  readonly readsOperation: boolean
  /** Whether it looks at the groups of the principal. */
  readonly readsGroups: boolean
  /** Whether it looks at the target: one that has several readings must not get here. */
  readonly readsResourceTarget: boolean
  /** Scopes that it asks for by name: `'robot' in principal.scopes`. */
  readonly scopes: ReadonlySet<string>
  /** Whether it could hold for one of the calls of which so much is known. For the start: otherwise it would deny all of them. */
  mayHoldFor(known: KnownFacts): boolean
  /**
   * Takes time in proportion to what the expression looks at, and never more than the budget.
   *
   * @param facts - of one operation. What `args` throws, this throws
   * @param work - what the decision may still cost; beyond that the outcome is an error
   */
  evaluate(facts: ExpressionFacts, work: Work): Outcome
}

/**
 * Compiles an expression (CEL), and refuses each that could not do what it seems to say: unknown names, wrong types, functions whose cost
 * has no bound, and what always or never holds.
 *
 * @param source - as it stands in the configuration
 * @param use - `who` sees neither operation nor arguments
 * @throws ExpressionError
 */
export function compileExpression(source: string, use: Use): CompiledExpression {
  const { root, check } = parseSyntax(source, use)
  const compilation: Compilation = { source, use, facts: [], scopes: new Set(), looks: 0 }
  const context: Context = { compilation, scope: new Map(), cost: { nodes: 0 }, compile: compileNode }
  const evaluate = compileNode(root, context)
  check()
  checkMayDiffer(evaluate)
  const cost = context.cost.nodes * STEP
  return Object.freeze({
    source,
    ...describeReads(compilation.facts),
    scopes: compilation.scopes,
    mayHoldFor: (known: KnownFacts) =>
      mayHold(
        toTruth(evaluate({ facts: undefined, known: listKnownFacts(known), work: createWork(), locals: [], seen: [] }), source),
      ),
    evaluate: (given: ExpressionFacts, work: Work) => run(evaluate, source, given, cost, work),
  })
}

/** Evaluates with every fact unknown: an expression that always holds is no condition, and one that never holds denies every caller. */
function checkMayDiffer(evaluate: Evaluate): void {
  const value = evaluate({ facts: undefined, work: createWork(), locals: [], seen: [] })
  if (value === true) throw new ExpressionError('it holds for every call: leave it out, or compare with something of the call', 0)
  if (isFailure(value)) throw new ExpressionError(`it always fails: ${value.reason}`, 0)
  if (!mayHold(value)) throw new ExpressionError('it can never hold: compare with something of the call', 0)
}

function describeReads(
  read: readonly NamedFact[],
): Pick<CompiledExpression, 'readsArguments' | 'readsOperation' | 'readsGroups' | 'readsResourceTarget'> {
  const operation = records.get('operation')
  const args = facts.get('args')
  return {
    readsArguments: read.some((fact) => fact === args),
    readsOperation: read.some((fact) => [...(operation?.values() ?? [])].includes(fact)),
    readsGroups: read.some((fact) => fact === records.get('principal')?.get('groups')),
    readsResourceTarget: read.some((fact) => fact === operation?.get('target')),
  }
}

function run(evaluate: Evaluate, source: string, given: ExpressionFacts, cost: number, work: Work): Outcome {
  spend(work, cost)
  if (work.left < 0) return toOutcome(TOO_MUCH)
  const value = toTruth(evaluate({ facts: given, work, locals: [], seen: [] }), source.slice(0, 80))
  return toOutcome(work.left < 0 ? TOO_MUCH : value)
}

const HOLDS: Outcome = Object.freeze({ value: true })
const HOLDS_NOT: Outcome = Object.freeze({ value: false })
const NOT_KNOWN: Outcome = Object.freeze({ value: 'unknown' })
const NEVER: Outcome = Object.freeze({ value: 'error', reason: 'it cannot hold, whatever the arguments are' })

function toOutcome(value: Value): Outcome {
  if (value === true) return HOLDS
  if (value === false) return HOLDS_NOT
  if (isFailure(value)) return { value: 'error', reason: value.reason }
  return mayHold(value) ? NOT_KNOWN : NEVER
}
