import { normalizeGroup } from '../../core/group-name.ts'
import type { Operation } from '../../core/operation.ts'
import { spend, type Work } from '../work.ts'
import { compare, isIn } from './compare.ts'
import { checkLiterals } from './literal-checks.ts'
import { findFact } from './lookups.ts'
import { records } from './names.ts'
import { calculate, checkInt, MAX_INT } from './number.ts'
import { type Context, combineUnusable, type Evaluate, quote, refuse, TOO_MUCH } from './program.ts'
import type { Syntax } from './syntax.ts'
import { calculateTime } from './time.ts'
import { and, choose, not, or, toTruth } from './truth.ts'
import { createFailure, createList, describeType, isKnown, isList, type Known, type List, locate, type Value } from './value.ts'

type Of<Operator extends Syntax['op']> = Extract<Syntax, { op: Operator }>

/** Operators that need both sides. */
export type Binary = Of<'==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+' | '-' | '*' | '/' | '%'>

export function compileBinary(node: Binary, context: Context): Evaluate {
  checkKind(node, context)
  checkSum(node)
  checkGroup(node, context)
  checkOrder(node)
  checkLiterals(node, context)
  noteScope(node, context)
  const [left, right] = [context.compile(node.args[0], context), context.compile(node.args[1], context)]
  const apply = findOperator(node.op)
  const text = quote(node, context)
  return (run) => {
    const one = left(run)
    const other = right(run)
    if (!isKnown(one) || !isKnown(other)) return combineUnusable(one, other)
    const result = apply(one, other, run.work)
    return typeof result === 'boolean' ? result : locate(result ?? describeMisfit(node.op, one, other), text)
  }
}

const kinds: ReadonlySet<unknown> = new Set<Operation['targetKind']>(['tool', 'prompt', 'resource'])

/** A comparison with a misspelt kind would silently deny every call, or none. */
function checkKind({ args }: Binary, context: Context): void {
  const isKind = (node: Syntax): boolean => node.op === '.' && findFact(node, context)?.hasKinds === true
  const literal = args.find((node, at) => node.op === 'value' && args.some((other, where) => where !== at && isKind(other)))
  if (literal !== undefined && !kinds.has(literal.args)) refuse(literal, 'operation.kind is "tool", "prompt" or "resource"')
}

/** The leading slash of Keycloak's paths is dropped when groups are read (`core/group-name.ts`): a name with it is held by no caller. */
function checkGroup({ op, args: [left, right] }: Binary, context: Context): void {
  if (op !== 'in' || left.op !== 'value' || typeof left.args !== 'string' || right.op !== '.') return
  if (findFact(right, context) !== records.get('principal')?.get('groups') || !left.args.startsWith('/')) return
  refuse(left, `groups have no leading slash here: write '${normalizeGroup(left.args)}'`)
}

const orders: ReadonlySet<string> = new Set(['<', '<=', '>', '>='])

/** Texts are ordered letter by letter, so that "9" is more than "100"; and a number that a caller sends is no text, which denies. */
function checkOrder({ op, args }: Binary): void {
  const literal = orders.has(op) ? args.find((node) => node.op === 'value' && isNumeric(node.args)) : undefined
  if (literal === undefined) return
  refuse(
    literal,
    `${JSON.stringify(literal.args)} is a text, and texts are ordered letter by letter: write the number without quotes`,
  )
}

function isNumeric(literal: unknown): literal is string {
  return typeof literal === 'string' && /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/.test(literal)
}

/** What a caller may lose with this scope is known for the challenge, which asks for the scopes that the token holds and needs. */
function noteScope({ op, args: [left, right] }: Binary, context: Context): void {
  if (op !== 'in' || left.op !== 'value' || typeof left.args !== 'string' || right.op !== '.') return
  if (findFact(right, context) === records.get('principal')?.get('scopes')) context.compilation.scopes.add(left.args)
}

/** The library takes the sum of a duration and a timestamp for a duration. */
function checkSum({ op, args: [left, right] }: Binary): void {
  const isDuration = (node: Syntax): boolean => node.op === 'call' && node.args[0] === 'duration'
  if (op === '+' && isDuration(left) && !isDuration(right)) refuse(left, 'write the timestamp first, as in now + duration("1h")')
}

type ApplyBinary = (left: Known, right: Known, work: Work) => Value | undefined

function findOperator(operator: Binary['op']): ApplyBinary {
  if (operator === 'in') return isIn
  if (comparisons.has(operator)) return (left, right, work) => compare(operator, left, right, work)
  if (operator === '+') return add
  return (left, right) => calculate(operator, left, right) ?? calculateTime(operator, left, right)
}

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>='])

function describeMisfit(operator: string, left: Known, right: Known): Value {
  return createFailure(`${describeType(left)} and ${describeType(right)} do not go with ${operator}`)
}

function add(left: Known, right: Known, work: Work): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') {
    spend(work, left.length + right.length)
    return work.left < 0 ? TOO_MUCH : left + right
  }
  if (isList(left) && isList(right)) return concatenate(left, right, work)
  return calculate('+', left, right) ?? calculateTime('+', left, right)
}

function concatenate(left: List, right: List, work: Work): Value {
  spend(work, left.length + right.length)
  if (work.left < 0) return TOO_MUCH
  const items = (list: List): readonly Value[] => Array.from({ length: list.length }, (_, at) => list.at(at, work))
  return createList([...items(left), ...items(right)])
}

/** `&&` and `||`: the right side is left alone where the left one decides. */
export function compileLogic(node: Of<'&&' | '||'>, context: Context): Evaluate {
  const [left, right] = [compileTruth(node.args[0], context), compileTruth(node.args[1], context)]
  if (node.op === '&&') {
    return (run) => {
      const one = left(run)
      return one === false ? false : and(one, right(run))
    }
  }
  return (run) => {
    const one = left(run)
    return one === true ? true : or(one, right(run))
  }
}

/** What must be true or false where it stands. */
export function compileTruth(node: Syntax, context: Context): Evaluate {
  const operand = context.compile(node, context)
  const text = quote(node, context)
  return (run) => {
    const value = operand(run)
    return typeof value === 'boolean' ? value : toTruth(value, text)
  }
}

export function compileNot(node: Of<'!_'>, context: Context): Evaluate {
  const operand = compileTruth(node.args, context)
  return (run) => not(operand(run))
}

export function compileChoice(node: Of<'?:'>, context: Context): Evaluate {
  const condition = compileTruth(node.args[0], context)
  const [one, other] = [context.compile(node.args[1], context), context.compile(node.args[2], context)]
  return (run) => {
    const value = condition(run)
    if (value === true) return one(run)
    if (value === false) return other(run)
    return typeof value === 'object' && value?.kind === 'unknown' ? choose(value, one(run), other(run)) : value
  }
}

export function compileMinus(node: Of<'-_'>, context: Context): Evaluate {
  const { args } = node
  if (args.op === 'value' && typeof args.args === 'bigint') return compileInt(node, -args.args)
  const operand = context.compile(args, context)
  const text = quote(node, context)
  return (run) => {
    const value = operand(run)
    if (!isKnown(value)) return value
    if (typeof value === 'number') return -value
    return locate(typeof value === 'bigint' ? checkInt(-value) : createFailure(`${describeType(value)} has no sign`), text)
  }
}

export function compileLiteral(node: Of<'value'>): Evaluate {
  const literal: unknown = node.args
  if (typeof literal === 'bigint') return compileInt(node, literal)
  if (typeof literal === 'string' || typeof literal === 'number' || typeof literal === 'boolean' || literal === null)
    return () => literal
  return refuse(node, 'numbers with u and texts with b are not available: write an int, or a text')
}

function compileInt(node: Syntax, value: bigint): Evaluate {
  if (value > MAX_INT || value < -MAX_INT - 1n) refuse(node, 'the number is no int of 64 bits')
  return () => value
}
