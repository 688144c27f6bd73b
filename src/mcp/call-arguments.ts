import { outlineJson } from '../core/json/strict-json.ts'
import { METHODS_WITH_ARGUMENTS, type Operation, type TextSpan } from '../core/operation.ts'
import { findArgumentSpans } from './argument-spans.ts'
import type { MessageLimits } from './messages.ts'

/**
 * Finds the `arguments` of the calls in a body that was read before.
 *
 * @param text - the body
 * @returns as {@link findArgumentSpans}, but the JSON text itself
 */
export function listArguments(text: string, { jsonDepth, batchMembers }: MessageLimits): readonly (string | undefined)[] {
  const isBatch = text.trimStart().startsWith('[')
  // message → params; a batch puts one level around it.
  const root = outlineJson(text, jsonDepth, isBatch ? 3 : 2, Math.max(batchMembers, 1))
  return cutSpans(text, findArgumentSpans(text, root))
}

/** @param spans - of this very text */
export function cutSpans(text: string, spans: readonly (TextSpan | undefined)[]): readonly (string | undefined)[] {
  return spans.map((span) => span && text.slice(span.start, span.end))
}

/**
 * Tells which arguments are those of an operation.
 *
 * @param list - called when they are first asked for: the arguments in the body that the operations were read from
 */
export function createArgumentFinder(
  operations: readonly Operation[],
  list: () => readonly (string | undefined)[],
): (operation: Operation) => string | undefined {
  let positions: ReadonlyMap<Operation, number> | undefined
  let listed: readonly (string | undefined)[] | undefined
  return (operation) => {
    positions ??= findPositions(operations)
    const position = positions.get(operation)
    if (position === undefined) throw new Error('an operation that is not of this body')
    listed ??= list()
    return listed[position]
  }
}

/** Each operation with arguments is a message of its own. */
function findPositions(operations: readonly Operation[]): ReadonlyMap<Operation, number> {
  const withArguments = operations.filter(({ method }) => METHODS_WITH_ARGUMENTS.has(method))
  return new Map(withArguments.map((operation, position) => [operation, position]))
}
