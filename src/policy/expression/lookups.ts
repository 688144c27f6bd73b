import { facts, isSeen, listNames, type NamedFact, records } from './names.ts'
import { type Context, combineUnusable, compileFact, type Evaluate, quote, refuse } from './program.ts'
import type { Syntax } from './syntax.ts'
import { createFailure, describeType, isDictionary, isKnown, isList, type Known, locate, type Value } from './value.ts'

type Of<Operator extends Syntax['op']> = Extract<Syntax, { op: Operator }>

/** A name by itself: a variable, or a fact. */
export function compileName(node: Of<'id'>, context: Context): Evaluate {
  const name = node.args
  const place = context.scope.get(name)
  if (place !== undefined) {
    context.compilation.looks++
    return ({ locals }) => {
      const value = locals[place]
      return value === undefined ? createFailure(`${name} has no value`) : value
    }
  }
  const members = records.get(name)
  checkSeen(node, name, context)
  if (members !== undefined) return refuse(node, `${name} is no value by itself: write ${formatMembers(name, members)}`)
  const fact = facts.get(name)
  return fact === undefined ? refuse(node, describeUnknown(name, context)) : compileFact(fact, context)
}

/** The fact that `a.b` is, where `a` is a name with members. @throws ExpressionError when it has no such member */
export function findFact({ args: [owner, name] }: Of<'.'>, context: Context): NamedFact | undefined {
  if (owner.op !== 'id' || context.scope.has(owner.args)) return undefined
  const members = records.get(owner.args)
  if (members === undefined) return undefined
  checkSeen(owner, owner.args, context)
  return (
    members.get(name) ?? refuse(owner, `${owner.args} has no member ${name}: there are ${formatMembers(owner.args, members)}`)
  )
}

function formatMembers(name: string, members: ReadonlyMap<string, NamedFact>): string {
  return [...members.keys()].map((member) => `${name}.${member}`).join(', ')
}

function describeUnknown(name: string, { compilation }: Context): string {
  return `there is no ${name.slice(0, 40)} here: expressions see ${listNames(compilation.use)}; a text stands in quotes`
}

function checkSeen(node: Syntax, name: string, { compilation }: Context): void {
  if (isSeen(name, compilation.use) || !(records.has(name) || facts.has(name))) return
  refuse(
    node,
    `\`who\` does not see ${name}, since it selects principals before a call is looked at: write a rule with \`require\``,
  )
}

/** `a.b` */
export function compileMember(node: Of<'.'>, context: Context): Evaluate {
  const fact = findFact(node, context)
  if (fact !== undefined) return compileFact(fact, context)
  const [owner, name] = node.args
  const operand = context.compile(owner, context)
  const texts = { owner: quote(owner, context), whole: quote(node, context) }
  return (run) => {
    const value = operand(run)
    if (!isKnown(value)) return value
    if (!isDictionary(value)) return describeNoContainer(value, texts.owner)
    return finish(value.get(name, run.work), texts.whole)
  }
}

/** `a["b"]`, `a[0]` */
export function compileIndex(node: Of<'[]'>, context: Context): Evaluate {
  const [owner, index] = node.args
  const [operand, place] = [context.compile(owner, context), context.compile(index, context)]
  const texts = { owner: quote(owner, context), whole: quote(node, context) }
  return (run) => {
    const [value, key] = [operand(run), place(run)]
    if (!isKnown(value) || !isKnown(key)) return combineUnusable(value, key)
    if (isDictionary(value) && typeof key === 'string') return finish(value.get(key, run.work), texts.whole)
    if (!isList(value) || typeof key !== 'bigint') return describeNoContainer(value, texts.owner)
    return finish(key >= 0n && key < BigInt(value.length) ? value.at(Number(key), run.work) : undefined, texts.whole)
  }
}

function finish(value: Value | undefined, text: string): Value {
  return value === undefined ? createFailure(`${text} is missing`) : locate(value, text)
}

function describeNoContainer(value: Known, text: string): Value {
  return createFailure(`${text} is ${describeType(value)}, so it has no such member`)
}
