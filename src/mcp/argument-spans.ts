import type { JsonOutline } from '../core/json/json-outline.ts'
import { readJsonString } from '../core/json/strict-json.ts'
import { METHODS_WITH_ARGUMENTS, type TextSpan } from '../core/operation.ts'

/**
 * Finds where the `arguments` of calls stand in a body.
 *
 * @param root - outline of the text, down to the members of `params`
 * @returns for each call of a tool and use of a prompt, in their order; undefined where it has none
 */
export function findArgumentSpans(text: string, root: JsonOutline): readonly (TextSpan | undefined)[] {
  return (root.items ?? [root]).filter((message) => hasArguments(text, message)).map(findSpan)
}

function hasArguments(text: string, { members }: JsonOutline): boolean {
  const method = members?.get('method')
  return method?.kind === 'string' && METHODS_WITH_ARGUMENTS.has(readJsonString(text, method))
}

function findSpan({ members }: JsonOutline): TextSpan | undefined {
  const given = members?.get('params')?.members?.get('arguments')
  // Copied: an outline would keep all others.
  return given && { start: given.start, end: given.end }
}
