import type { JsonOutline } from '../core/json/json-outline.ts'
import { outlineJson, readJsonString } from '../core/json/strict-json.ts'
import type { MessageLimits } from './messages.ts'

/** Methods whose `arguments` policy may look at. */
const METHODS_WITH_ARGUMENTS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get'])

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

/** @param method - of an operation, or of a message in a text */
export function mayHaveArguments(method: string): boolean {
  return METHODS_WITH_ARGUMENTS.has(method)
}

function hasArguments(text: string, { members }: JsonOutline): boolean {
  const method = members?.get('method')
  return method?.kind === 'string' && mayHaveArguments(readJsonString(text, method))
}

function findArguments(text: string, { members }: JsonOutline): string | undefined {
  const given = members?.get('params')?.members?.get('arguments')
  return given && text.slice(given.start, given.end)
}
