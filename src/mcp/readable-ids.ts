import { Buffer } from 'node:buffer'
import { looksLike } from '../core/json/lenient-key.ts'
import { type Outline, outlineDoubtful } from '../core/json/shallow-outline.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import { StrictJsonError } from '../core/json/strict-json-error.ts'
import { isRequestId } from './messages.ts'

/** The ids of the requests in a refused body. */
export interface ReadableIds {
  /** In JSON. Only unambiguous ids, each once. */
  readonly ids: readonly string[]
  readonly isBatch: boolean
}

const NOTHING: ReadableIds = { ids: [], isBatch: false }

/**
 * Finds the ids of the requests in a body that is refused for another reason: "the `id` … MUST match the id of the request"
 * (2026-07-28, basic/index, Error Responses). An ambiguous id is left out.
 *
 * @param text - the body, which may not be JSON
 * @param mostMembers - of a batch; the ids of a longer one are not read
 */
export function findReadableIds(text: string, maxMembers: number): ReadableIds {
  const root = outline(text, maxMembers)
  if (root?.items === undefined) return root === undefined ? NOTHING : { ids: findId(text, root), isBatch: false }
  const ids = new Set(root.items.flatMap((member) => findId(text, member)))
  return { ids: [...ids], isBatch: ids.size > 0 }
}

function outline(text: string, maxMembers: number): Outline | undefined {
  try {
    return outlineDoubtful(text, text.trimStart().startsWith('[') ? 2 : 1, maxMembers)
  } catch {
    // Not JSON, or too much of it.
    return undefined
  }
}

/** Empty for a response: its id belongs to a request of the server. */
function findId(text: string, { members, repeated }: Outline): string[] {
  const id = members?.get('id')
  if (!members || !id || repeated?.has('id')) return []
  if (!members.has('method') && (members.has('result') || members.has('error'))) return []
  for (const name of members.keys()) if (name !== 'id' && looksLike(name, 'id')) return []
  const raw = text.slice(id.start, id.end)
  // A substring keeps the whole text in memory.
  return isRequestId(raw) && isUnambiguous(raw) ? [Buffer.from(raw).toString()] : []
}

function isUnambiguous(raw: string): boolean {
  try {
    checkStrictJson(raw, 0)
    return true
  } catch (error) {
    if (error instanceof StrictJsonError) return false
    throw error
  }
}
