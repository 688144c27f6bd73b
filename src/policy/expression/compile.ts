import { createWork } from '../work.ts'
import { type Call, compileCall } from './calls.ts'
import { compileComprehension, isComprehension } from './comprehension.ts'
import { compileIndex, compileMember, compileName } from './lookups.ts'
import { compileBinary, compileChoice, compileLiteral, compileLogic, compileMinus, compileNot } from './operators.ts'
import { type Context, type Evaluate, quote, refuse } from './program.ts'
import type { Syntax } from './syntax.ts'
import { UNKNOWN } from './truth.ts'
import { createDictionary, createList, isFailure, isKnown, type Value } from './value.ts'

/**
 * Makes a function of a part of an expression. What is not named here is refused: the library parses more than is available.
 *
 * @throws ExpressionError
 */
export function compileNode(node: Syntax, context: Context): Evaluate {
  context.cost.nodes++
  const before = context.compilation.looks
  const evaluate = compileOperator(node, context)
  return context.compilation.looks === before ? compileConstant(node, evaluate, context) : evaluate
}

/** Computes what looks at nothing now: what fails would fail in each decision. */
function compileConstant(node: Syntax, evaluate: Evaluate, context: Context): Evaluate {
  const value = evaluate({ facts: undefined, work: createWork(), locals: [], seen: [] })
  if (isFailure(value)) return refuse(node, `${quote(node, context)} always fails: ${value.reason}`)
  return () => value
}

function compileOperator(node: Syntax, context: Context): Evaluate {
  switch (node.op) {
    case 'value':
      return compileLiteral(node)
    case 'id':
      return compileName(node, context)
    case '.':
      return compileMember(node, context)
    case '[]':
      return compileIndex(node, context)
    case '&&':
    case '||':
      return compileLogic(node, context)
    case '!_':
      return compileNot(node, context)
    case '-_':
      return compileMinus(node, context)
    case '?:':
      return compileChoice(node, context)
    case 'call':
      return compileAnyCall({ node, name: node.args[0], isMethod: false, inputs: node.args[1] }, context)
    case 'rcall':
      return compileAnyCall({ node, name: node.args[0], isMethod: true, inputs: [node.args[1], ...node.args[2]] }, context)
    case 'list':
      return compileItems(node.args, context, createList)
    case 'map':
      return compileMap(node.args, context)
    case '.?':
    case '[?]':
      return refuse(node, 'optional values are not available: ask with has()')
    default:
      return compileBinary(node, context)
  }
}

function compileAnyCall(call: Call, context: Context): Evaluate {
  return isComprehension(call) ? compileComprehension(call, context) : compileCall(call, context)
}

/** Computes all of the parts. What is known of one that may be true or false says nothing of the whole, nor of what is asked of it. */
function compileItems(nodes: readonly Syntax[], context: Context, create: (values: readonly Value[]) => Value): Evaluate {
  const parts = nodes.map((node) => context.compile(node, context))
  return (run) => {
    const values = parts.map((part) => part(run))
    const failure = values.find(isFailure)
    return failure ?? (values.every(isKnown) ? create(values) : UNKNOWN)
  }
}

function compileMap(entries: readonly (readonly [Syntax, Syntax])[], context: Context): Evaluate {
  const names = entries.map(([name]) => readName(name))
  const repeated = names.findIndex((name, at) => names.indexOf(name) !== at)
  const [second] = entries[repeated] ?? []
  if (second !== undefined) refuse(second, `${quote(second, context)} is there twice`)
  return compileItems(
    entries.map(([, value]) => value),
    context,
    (values) => createDictionary(new Map(names.map((name, at) => [name, values[at] ?? null]))),
  )
}

function readName(node: Syntax): string {
  return node.op === 'value' && typeof node.args === 'string'
    ? node.args
    : refuse(node, 'the keys of a map must be texts in quotes')
}
