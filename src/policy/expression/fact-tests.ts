import { createWork } from '../work.ts'
import { compileNode } from './compile.ts'
import { type KnownFacts, listKnownFacts, type Use } from './names.ts'
import type { Context, Evaluate } from './program.ts'
import { parseSyntax, type Syntax } from './syntax.ts'
import { mayHold, toTruth } from './truth.ts'

/** A part of an expression that compares a fact with texts that stand there. */
export interface FactTest {
  /** `principal.claims.repository`: names of members, of which none has a dot. */
  readonly path: string
  /** `equals`: one of the texts, `begins`: with one of them, `has`: one of them is an item. Numbers, true and false are texts, too. */
  readonly kind: 'equals' | 'begins' | 'has'
  readonly texts: readonly string[]
}

/**
 * Whether an expression could hold where some of its comparisons cannot: proved by computing it with these as false, and with everything that
 * is not known as anything at all.
 *
 * @param isFalse - whether a comparison holds for none of those that it is asked about
 * @throws ExpressionError when it is no expression
 */
export function mayHoldWithout(source: string, use: Use, isFalse: (test: FactTest) => boolean, known: KnownFacts): boolean {
  const compilation = { source, use, facts: [], scopes: new Set<string>(), looks: 0 }
  const compile = (node: Syntax, context: Context): Evaluate => {
    const test = readTest(node)
    if (test === undefined || !isFalse(test)) return compileNode(node, context)
    // It is no constant of the expression, though it is one here.
    compilation.looks++
    return () => false
  }
  const evaluate = compile(parseSyntax(source, use).root, { compilation, scope: new Map(), cost: { nodes: 0 }, compile })
  const work = createWork()
  const value = evaluate({ facts: undefined, known: listKnownFacts(known), work, locals: [], seen: [] })
  // Both sides of a choice are computed here: what was cut short may still be computed for a call.
  return work.left < 0 || mayHold(toTruth(value, source))
}

function readTest({ op, args }: Syntax): FactTest | undefined {
  if (op === '==') return readEquality(args[0], args[1]) ?? readEquality(args[1], args[0])
  if (op === 'in') return readMembership(args[0], args[1])
  if (op === 'rcall') return readTextTest(args[0], args[1], args[2])
  return op === 'call' ? readTextTest(args[0], args[1][0], args[1].slice(1)) : undefined
}

function readEquality(subject: Syntax, literal: Syntax): FactTest | undefined {
  return createTest(readPath(subject), 'equals', [readLiteral(literal)])
}

function readMembership(item: Syntax, list: Syntax): FactTest | undefined {
  if (list.op === 'list') return createTest(readPath(item), 'equals', list.args.map(readLiteral))
  return createTest(readPath(list), 'has', [readLiteral(item)])
}

function readTextTest(name: string, subject: Syntax | undefined, [literal]: readonly Syntax[]): FactTest | undefined {
  const text = literal && readLiteral(literal)
  if (text === undefined || (name !== 'startsWith' && name !== 'glob')) return undefined
  const star = name === 'glob' ? text.indexOf('*') : text.length
  return createTest(readPath(subject), star < 0 ? 'equals' : 'begins', [star < 0 ? text : text.slice(0, star)])
}

function createTest(
  path: string | undefined,
  kind: FactTest['kind'],
  texts: readonly (string | undefined)[],
): FactTest | undefined {
  const known = texts.filter((text) => text !== undefined)
  return path === undefined || known.length < Math.max(1, texts.length) ? undefined : { path, kind, texts: known }
}

function readPath(node: Syntax | undefined): string | undefined {
  if (node?.op === 'id') return node.args
  if (node?.op !== '.' && node?.op !== '[]') return undefined
  const [owner, member] = node.args
  const path = readPath(owner)
  const name = typeof member === 'string' ? member : readLiteral(member)
  return path === undefined || name === undefined || name.includes('.') ? undefined : `${path}.${name}`
}

function readLiteral({ op, args }: Syntax): string | undefined {
  if (op !== 'value') return undefined
  return typeof args === 'string' || typeof args === 'bigint' || typeof args === 'boolean' ? String(args) : undefined
}
