import { applyEdits, type Edit, replaceAt } from '../../../core/json/json-edits.ts'
import { outlineMessage } from '../../../core/json/outline-messages.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { findMember, replaceResponseId } from '../wire/json-edits.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import type { RequestNames } from './pending-requests.ts'

/** A client's request with the names that the server gets for it in place of the client's. */
export function rewriteRequest(text: string, server: RequestNames, client: RequestNames): string {
  if (server.id === client.id && server.progressToken === client.progressToken) return text
  const edits: Edit[] = []
  const outline = outlineMessage(text)
  const replace = (json: string | undefined, ...path: string[]): void => {
    const member = findMember(outline, ...path)
    if (member && json !== undefined) edits.push(replaceAt(member, json))
  }
  replace(server.id, 'id')
  replace(server.progressToken, 'params', '_meta', 'progressToken')
  return applyEdits(text, edits)
}

/** A server's notification with the client's names; undefined when it can be read in two ways, or the client gave no such name. */
export function rewriteNotification(message: ChildMessage, server: RequestNames, client: RequestNames): string | undefined {
  const { method, text } = message
  if (method === 'notifications/message') return text
  if (method !== 'notifications/progress') return editOrUndefined(text, ['params', '_meta', META_KEYS.subscriptionId], client.id)
  if (server.progressToken === client.progressToken) return text
  return editOrUndefined(text, ['params', 'progressToken'], client.progressToken)
}

/**
 * A server's response with the client's id; undefined when it can be read in two ways.
 *
 * @param serverId - as the server wrote it, in JSON
 */
export function rewriteResponse({ text, value }: ChildMessage, serverId: string, clientId: string): string | undefined {
  try {
    const answer = serverId === clientId ? text : replaceResponseId(text, serverId, clientId)
    const meta = (value.result as { _meta?: Record<string, unknown> } | undefined)?._meta
    if (meta?.[META_KEYS.subscriptionId] === undefined) return answer
    return editOrUndefined(answer, ['result', '_meta', META_KEYS.subscriptionId], clientId)
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
