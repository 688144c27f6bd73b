import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { capitalize } from '../../core/sentence.ts'
import { facts, isSeen, records, type Use } from './names.ts'

/**
 * The only file that knows the library. It parses and checks types; what an expression comes to is computed here (`compile.ts`), since its
 * evaluator gets some values wrong, looks at a text as often as the text likes, and knows nothing that is not known yet.
 */
export type Syntax = ASTNode

/** A mistake in an expression, for the author of the configuration. */
export class ExpressionError extends Error {
  /** Where in the text it is, in UTF-16 units from 0. */
  readonly offset: number

  /** @param message - what is wrong and what to write instead; @param offset - where */
  constructor(message: string, offset: number) {
    super(message)
    this.name = 'ExpressionError'
    this.offset = offset
  }
}

/** Longer expressions are unreadable; several rules say the same. */
const MAX_LENGTH = 4096
const limits = { maxAstNodes: 500, maxDepth: 32, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 4 }

/** A parsed expression, and how to check its types. */
export interface Parsed {
  readonly root: Syntax
  /** @throws ExpressionError */
  check(): void
}

/** @throws ExpressionError when it is no CEL */
export function parseSyntax(source: string, use: Use): Parsed {
  if (source.length > MAX_LENGTH) throw new ExpressionError(`it is longer than ${MAX_LENGTH} characters`, MAX_LENGTH)
  if (!source.isWellFormed()) throw new ExpressionError('it has half a character (a lone surrogate)', 0)
  const parsed = attempt(() => findEnvironment(use).parse(source))
  return { root: parsed.ast, check: () => checkTypes(parsed.check()) }
}

function attempt<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw toExpressionError(error)
  }
}

function checkTypes({ valid, type, error }: { valid: boolean; type?: string; error?: unknown }): void {
  if (!valid) throw toExpressionError(error)
  if (type === 'bool' || type === 'dyn') return
  throw new ExpressionError(`it is of type ${type}, and must be true or false: compare it with something`, 0)
}

/** What the library says in a few words, and what to do about it where those don't tell. */
const remedies: Readonly<Record<string, string>> = {
  unexpected_character:
    'write && for and, || for or, ! for not, == for equal; a text stands in quotes, and claims["a:b"] is a member of that name',
  no_such_overload: 'the types do not fit; compare values of one type, and convert with int(), double() or string()',
  no_matching_overload:
    'the types do not fit; `contains`, `startsWith`, `endsWith` and `glob` are for text, and an item of a list is found with `in`',
  heterogeneous_list_element: 'write all items of a list in one type',
  incompatible_ternary_branches: 'let both sides of the colon have one type',
  limit_exceeded: 'write several rules instead',
  reserved_identifier: 'write args["name"] for a member of that name',
}

interface LibraryError {
  readonly code: string
  readonly summary: string
  readonly range?: { readonly start: number }
}

function toExpressionError(error: unknown): ExpressionError {
  if (!isLibraryError(error)) throw error
  const { code, summary, range } = error
  const remedy = Object.hasOwn(remedies, code) ? remedies[code] : undefined
  const what = summary.charAt(0).toLowerCase() + summary.slice(1)
  return new ExpressionError(remedy === undefined ? what : `${what}: ${remedy}`, range?.start ?? 0)
}

function isLibraryError(error: unknown): error is LibraryError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'summary' in error
}

const environments: Partial<Record<Use, Environment>> = {}

/** Made for the first expression: without any, a start has no use for them. */
function findEnvironment(use: Use): Environment {
  environments[use] ??= createEnvironment(use)
  return environments[use]
}

/** Handlers are never called: the library checks types, nothing more. */
function createEnvironment(use: Use): Environment {
  const environment = new Environment({ limits })
  for (const [name, members] of records) {
    if (!isSeen(name, use)) continue
    const type = capitalize(name)
    const fields = Object.fromEntries([...members].map(([member, fact]) => [member, fact.type]))
    environment.registerType(type, { fields }).registerVariable(name, type)
  }
  for (const [name, { type }] of facts) {
    if (isSeen(name, use)) environment.registerVariable(name, type)
  }
  return environment
    .registerOperator('int == double', unused)
    .registerFunction('glob(string, string): bool', unused)
    .registerFunction('string.glob(string): bool', unused)
}

function unused(): never {
  throw new Error('expressions are not evaluated by the library')
}
