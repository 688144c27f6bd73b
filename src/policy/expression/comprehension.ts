import { spend, type Work } from '../work.ts'
import type { Call } from './calls.ts'
import { facts, records } from './names.ts'
import { compileTruth } from './operators.ts'
import { type Context, type Evaluate, quote, type Run, refuse, STEP, TOO_MUCH } from './program.ts'
import type { Syntax } from './syntax.ts'
import { and, or, UNKNOWN } from './truth.ts'
import {
  createFailure,
  createList,
  describeType,
  isDictionary,
  isFailure,
  isKnown,
  isList,
  type Known,
  type List,
  type Value,
} from './value.ts'

/** Goes over the items: gives the result, given what the body comes to for each. */
type Fold = (items: Iterable<readonly [item: Value, result: Value]>) => Value

const folds: Readonly<Record<string, Fold>> = { exists, all, exists_one: existsOne, filter, map: transform }

/** Whether a call is one of `exists`, `all`, `exists_one`, `filter` and `map`, with a variable and a body. */
export function isComprehension({ name, isMethod, inputs }: Call): boolean {
  return isMethod && inputs.length === 3 && Object.hasOwn(folds, name)
}

/** `list.exists(item, body)` and the like, over the items of a list or the names of a map. */
export function compileComprehension({ node, name, inputs }: Call, context: Context): Evaluate {
  const [range, variable, body] = inputs as readonly [Syntax, Syntax, Syntax]
  const fold = folds[name] ?? refuse(node, `the function ${name} is not available`)
  const operand = context.compile(range, context)
  const text = quote(range, context)
  const place = context.scope.size
  const inner: Context = { ...context, scope: declare(variable, place, context), cost: { nodes: 1 } }
  const step = name === 'map' ? context.compile(body, inner) : compileTruth(body, inner)
  return (run) => {
    const value = operand(run)
    if (!isKnown(value)) return value
    const items = findItems(value, run.work)
    if (items === undefined) return createFailure(`${text} is ${describeType(value)}, and ${name} is for lists`)
    return fold(walk(items, step, place, inner.cost.nodes * STEP, run))
  }
}

function declare(variable: Syntax, place: number, { scope, compilation }: Context): ReadonlyMap<string, number> {
  if (variable.op !== 'id')
    return refuse(variable, 'the first of the two is the name of an item, as in exists(item, item == "a")')
  const name = variable.args
  if (scope.has(name) || facts.has(name) || records.has(name)) refuse(variable, `${name} is taken: give the item another name`)
  compilation.looks++
  return new Map([...scope, [name, place]])
}

function findItems(value: Known, work: Work): List | undefined {
  if (isList(value)) return value
  if (!isDictionary(value)) return undefined
  spend(work, value.size)
  return work.left < 0 ? createList([]) : createList(value.names())
}

/** Counts each item before it is looked at. What costs too much fails as a whole (see `expression.ts`). */
function* walk(items: List, step: Evaluate, place: number, cost: number, run: Run): Generator<readonly [Value, Value]> {
  for (let at = 0; at < items.length; at++) {
    spend(run.work, cost)
    if (run.work.left < 0) {
      yield [TOO_MUCH, TOO_MUCH]
      return
    }
    const item = items.at(at, run.work)
    run.locals[place] = item
    yield [item, step(run)]
  }
}

function exists(items: Parameters<Fold>[0]): Value {
  let found: Value = false
  for (const [, holds] of items) {
    found = or(found, holds)
    if (found === true) return true
  }
  return found
}

function all(items: Parameters<Fold>[0]): Value {
  let held: Value = true
  for (const [, holds] of items) {
    held = and(held, holds)
    if (held === false) return false
  }
  return held
}

/** Unlike the others, it fails where one item does: another one might have been the second. */
function existsOne(items: Parameters<Fold>[0]): Value {
  const kept = filter(items)
  return isKnown(kept) ? isList(kept) && kept.length === 1 : kept
}

function filter(items: Parameters<Fold>[0]): Value {
  const kept: Value[] = []
  let isUnclear = false
  for (const [item, holds] of items) {
    if (isFailure(holds)) return holds
    if (!isKnown(holds)) isUnclear = true
    else if (holds === true) kept.push(item)
  }
  return isUnclear ? UNKNOWN : createList(kept)
}

function transform(items: Parameters<Fold>[0]): Value {
  const made: Value[] = []
  let isUnclear = false
  for (const [, value] of items) {
    if (isFailure(value)) return value
    if (!isKnown(value)) isUnclear = true
    made.push(value)
  }
  return isUnclear ? UNKNOWN : createList(made)
}
