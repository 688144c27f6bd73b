import type { Work } from '../work.ts'
import type { ExpressionFacts } from './facts.ts'
import type { NamedFact, Use } from './names.ts'
import { ExpressionError, type Syntax } from './syntax.ts'
import { UNKNOWN } from './truth.ts'
import { createFailure, isFailure, type Value } from './value.ts'

/** A part of an expression, ready to be computed. */
export type Evaluate = (run: Run) => Value

/** One computation. */
export interface Run {
  /** Undefined while it is found out what the expression may come to at all: then every fact is unknown. */
  readonly facts: ExpressionFacts | undefined
  /** Without facts: those that are known all the same. */
  readonly known?: ReadonlyMap<NamedFact, Value>
  readonly work: Work
  /** What the variables of `exists` and the like stand for. */
  readonly locals: Value[]
  /** Facts that were read, so that each is read once. */
  readonly seen: (Value | undefined)[]
}

/** What is gathered while an expression is compiled. */
export interface Compilation {
  readonly source: string
  readonly use: Use
  /** The facts it reads, in the order of `Run.seen`. */
  readonly facts: NamedFact[]
  /** Scopes that it asks for by name: `'robot' in principal.scopes`. */
  readonly scopes: Set<string>
  /** How often it looks at a fact or a variable: what looks at none is constant. */
  looks: number
}

/** Where a node stands. */
export interface Context {
  readonly compilation: Compilation
  /** Variables and their places in `Run.locals`. */
  readonly scope: ReadonlyMap<string, number>
  /** Nodes that are computed each time: of the whole, or of the body of a comprehension. */
  readonly cost: { nodes: number }
  readonly compile: (node: Syntax, context: Context) => Evaluate
}

/** What a node costs, in characters that policy looks at. */
export const STEP = 8

export const TOO_MUCH = Object.freeze(createFailure('there is too much to look at'))

/** The text of a node, for messages: what its author wrote. */
export function quote({ start, end }: Syntax, { compilation }: Context): string {
  const text = closeBrackets(compilation.source, start, end).replaceAll(/\s+/g, ' ')
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** Places in the syntax leave out brackets around a first or last part. */
function closeBrackets(source: string, start: number, end: number): string {
  const text = source.slice(start, end)
  const missing = text.split('(').length - text.split(')').length
  const from = missing < 0 ? source.lastIndexOf('(', start) : start
  const until = missing > 0 ? source.indexOf(')', end) + 1 : end
  return missing === 0 || from < 0 || until < end ? text : source.slice(from, until)
}

export function refuse(node: Syntax, message: string): never {
  throw new ExpressionError(message, node.start)
}

/** What a strict function of these comes to, of which one at least is no value: a failure, or it is not known yet. */
export function combineUnusable(left: Value, right: Value): Value {
  if (isFailure(left)) return left
  return isFailure(right) ? right : UNKNOWN
}

/** Reads a fact once in each run. */
export function compileFact(fact: NamedFact, { compilation }: Context): Evaluate {
  compilation.looks++
  const known = compilation.facts.indexOf(fact)
  const place = known === -1 ? compilation.facts.push(fact) - 1 : known
  return (run) => {
    if (run.facts === undefined) return run.known?.get(fact) ?? UNKNOWN
    const seen = run.seen[place]
    if (seen !== undefined) return seen
    const value = fact.read(run.facts)
    run.seen[place] = value
    return value
  }
}
