import type { JsonOutline } from '../core/json/json-outline.ts'
import { outlineJson, readJsonString } from '../core/json/strict-json.ts'
import { METHODS_WITH_ARGUMENTS, type Operation } from '../core/operation.ts'
import type { MessageLimits } from './messages.ts'

/**
 * Finds the `arguments` of the calls in a body that was read before. Read anew, since few calls are looked into that closely, and nothing
 * but the body need be kept for it.
 *
 * @param text - the body
 * @returns for each call of a tool and use of a prompt, in their order, its arguments as JSON text; undefined where it has none
 */
export function listArguments(text: string, { jsonDepth, batchMembers }: MessageLimits): readonly (string | undefined)[] {
  const isBatch = text.trimStart().startsWith('[')
  // message → params; a batch puts one level around it.
  const root = outlineJson(text, jsonDepth, isBatch ? 3 : 2, Math.max(batchMembers, 1))
  const messages = (isBatch ? root.items : [root]) ?? []
  return messages.filter((message) => hasArguments(text, message)).map((message) => findArguments(text, message))
}

/**
 * Reads the arguments of operations from the body that they were read from, when they are first asked for.
 *
 * @param readText - the body's text
 */
export function createArgumentFinder(
  operations: readonly Operation[],
  readText: () => string,
  limits: MessageLimits,
): (operation: Operation) => string | undefined {
  let listed: readonly (string | undefined)[] | undefined
  return (operation) => {
    // Each operation with arguments is a message of its own.
    const position = operations.filter(({ method }) => METHODS_WITH_ARGUMENTS.has(method)).indexOf(operation)
    if (position < 0) throw new Error('an operation that is not of this body')
    listed ??= listArguments(readText(), limits)
    return listed[position]
  }
}

function hasArguments(text: string, { members }: JsonOutline): boolean {
  const method = members?.get('method')
  return method?.kind === 'string' && METHODS_WITH_ARGUMENTS.has(readJsonString(text, method))
}

function findArguments(text: string, { members }: JsonOutline): string | undefined {
  const given = members?.get('params')?.members?.get('arguments')
  return given && text.slice(given.start, given.end)
}
