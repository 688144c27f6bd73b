import { compileNamePattern } from '../../core/name-pattern.ts'
import { spend } from '../work.ts'
import { type Apply, createDateMethod, describeTypes, functions } from './functions.ts'
import { findFact } from './lookups.ts'
import { type Context, combineUnusable, compileFact, type Evaluate, quote, refuse } from './program.ts'
import type { Syntax } from './syntax.ts'
import { UNKNOWN } from './truth.ts'
import { createFailure, describeType, isDictionary, isFailure, isKnown, type Known, locate, type Value } from './value.ts'

/** A call as it was written: `name(inputs)`, or a method, whose first input stands before the dot. */
export interface Call {
  readonly node: Syntax
  readonly name: string
  readonly isMethod: boolean
  readonly inputs: readonly Syntax[]
}

/** Compiles a call of a function; comprehensions are compiled elsewhere. @throws ExpressionError when there is no such function */
export function compileCall(call: Call, context: Context): Evaluate {
  if (call.name === 'has' && !call.isMethod) return compileHas(call, context)
  if (call.name === 'glob' && call.inputs.length === 2) return compileGlob(call, context)
  return compileFunction(call, findFunction(call, context), context)
}

interface Found {
  readonly apply: Apply
  /** What is computed; a time zone is not. */
  readonly inputs: readonly Syntax[]
}

function findFunction({ node, name, isMethod, inputs }: Call, context: Context): Found {
  const apply = functions.get(isMethod ? `.${name}/${inputs.length - 1}` : `${name}/${inputs.length}`)
  if (apply !== undefined) return { apply, inputs }
  const [receiver, zone] = inputs
  const isOfZone = isMethod && inputs.length === 2 && receiver !== undefined && zone !== undefined
  const ofZone = isOfZone ? findDateMethod(name, zone, context) : undefined
  if (ofZone === undefined || receiver === undefined) return refuse(node, describeAbsent(name))
  return { apply: ofZone, inputs: [receiver] }
}

function describeAbsent(name: string): string {
  if (name === 'matches') {
    return 'the function matches is not available, since a regular expression may take for ever: write glob(text, "pattern*")'
  }
  const names = [...functions.keys()].map((key) => key.replace(/^\.?(\w+)\/\d$/, '$1'))
  const available = [...new Set(['has', 'glob', 'exists', 'exists_one', 'all', 'filter', 'map', ...names])]
  return `the function ${name.slice(0, 40)} is not available; there are ${available.join(', ')}`
}

function findDateMethod(name: string, zone: Syntax, context: Context): Apply | undefined {
  const timeZone = readLiteral(zone)
  try {
    if (timeZone !== undefined) return createDateMethod(name, timeZone)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return createDateMethod(name, 'UTC') && refuse(zone, `${quote(zone, context)} is no time zone, such as "Europe/Berlin"`)
}

function readLiteral(node: Syntax | undefined): string | undefined {
  return node?.op === 'value' && typeof node.args === 'string' ? node.args : undefined
}

function compileFunction({ node, name }: Call, { apply, inputs }: Found, context: Context): Evaluate {
  const text = quote(node, context)
  const operands = inputs.map((input) => context.compile(input, context))
  return (run) => {
    const values: Known[] = []
    let unusable: Value | undefined
    for (const operand of operands) {
      const value = operand(run)
      if (isKnown(value)) values.push(value)
      else unusable = unusable === undefined ? value : combineUnusable(unusable, value)
    }
    if (unusable !== undefined) return isFailure(unusable) ? unusable : UNKNOWN
    const result = apply(values, run.work) ?? createFailure(`${name} is not for ${describeTypes(values)}`)
    return isFailure(result) ? locate(result, text) : result
  }
}

/** `glob(text, "a*")`: `*` stands for any characters. The pattern is part of the policy, so that it is compiled once. */
function compileGlob({ node, inputs }: Call, context: Context): Evaluate {
  const [subject, pattern] = inputs as readonly [Syntax, Syntax]
  const written = readLiteral(pattern)
  if (written === undefined) return refuse(pattern, 'the pattern of glob must be a text in quotes')
  const matches = compileNamePattern(written)
  const operand = context.compile(subject, context)
  const text = quote(node, context)
  return (run) => {
    const value = operand(run)
    if (!isKnown(value)) return value
    if (typeof value !== 'string') return createFailure(`${text}: glob is not for ${describeType(value)}`)
    spend(run.work, value.length)
    return matches(value)
  }
}

/** `has(a.b)`: whether the member is there. What stands before the dot must be. */
function compileHas({ node, inputs }: Call, context: Context): Evaluate {
  const [member] = inputs
  if (inputs.length !== 1 || member?.op !== '.')
    return refuse(node, 'has() asks for a member, as in has(args.amount); a name that is no word is found with "name" in args')
  const [owner, name] = member.args
  const fact = findFact(member, context)
  return fact === undefined ? compileHasMember(owner, name, context) : compileHasFact(compileFact(fact, context))
}

function compileHasFact(read: Evaluate): Evaluate {
  return (run) => {
    const value = read(run)
    return isKnown(value) ? true : isFailure(value) ? false : UNKNOWN
  }
}

function compileHasMember(owner: Syntax, name: string, context: Context): Evaluate {
  const operand = context.compile(owner, context)
  const text = quote(owner, context)
  return (run) => {
    const value = operand(run)
    if (!isKnown(value)) return value
    return isDictionary(value)
      ? value.has(name, run.work)
      : createFailure(`${text} is ${describeType(value)}, so it has no members`)
  }
}
