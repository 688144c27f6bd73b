import type { ChildMessage } from '../wire/child-messages.ts'
import { applyEdits, type Edit, findMember, outlineMessage, replaceAt, replaceResponseId } from '../wire/json-edits.ts'
import type { RequestIds } from './request-ids.ts'

export const subscriptionKey = 'io.modelcontextprotocol/subscriptionId'

/** A request by the names that the two sides give to it. */
export interface NamedRequest {
  /** What the child knows it by. */
  readonly ours: RequestIds
  /** The client's id and progress token, in JSON. */
  id: string
  progressToken: string | undefined
}

/** What the child knows the request by in place of the client's id and progress token, where they differ. */
export function rewriteRequest(text: string, { ours, id, progressToken }: NamedRequest): string {
  const edits: Edit[] = []
  if (ours.id === id && ours.progressToken === progressToken) return text
  const outline = outlineMessage(text)
  const replace = (json: string | undefined, ...path: string[]): void => {
    const member = findMember(outline, ...path)
    if (member && json !== undefined) edits.push(replaceAt(member, json))
  }
  replace(ours.id, 'id')
  replace(ours.progressToken, 'params', '_meta', 'progressToken')
  return applyEdits(text, edits)
}

/** A notification with what the client knows its request by; undefined where that can't be. */
export function toClient(message: ChildMessage, { ours, id, progressToken }: NamedRequest): string | undefined {
  if (message.method === 'notifications/message') return message.text
  if (message.method !== 'notifications/progress') return editOrUndefined(message.text, ['params', '_meta', subscriptionKey], id)
  if (ours.progressToken === progressToken) return message.text
  return editOrUndefined(message.text, ['params', 'progressToken'], progressToken)
}

/** Undefined when what the child sent can be read in two ways. */
export function rewriteResponse({ text, value }: ChildMessage, ours: string, theirs: string): string | undefined {
  try {
    const answer = ours === theirs ? text : replaceResponseId(text, ours, theirs)
    const meta = (value.result as { _meta?: Record<string, unknown> } | undefined)?._meta
    if (meta?.[subscriptionKey] === undefined) return answer
    return editOrUndefined(answer, ['result', '_meta', subscriptionKey], theirs)
  } catch {
    return undefined
  }
}

function editOrUndefined(text: string, path: readonly string[], json: string | undefined): string | undefined {
  if (json === undefined) return undefined
  try {
    const member = findMember(outlineMessage(text), ...path)
    return member && applyEdits(text, [replaceAt(member, json)])
  } catch {
    return undefined
  }
}
