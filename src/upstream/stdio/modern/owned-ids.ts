import type { Call } from '../../../core/call.ts'
import { isObject } from '../../../core/is-object.ts'
import { applyEdits, type Edit, replaceAt } from '../../../core/json/json-edits.ts'
import { outlineMessage } from '../../../core/json/outline-messages.ts'
import type { SealPurpose, SessionSeal } from '../../../mcp/session-seal.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, createClientMessage, paramsOf, readParam } from '../wire/client-messages.ts'
import { findMember } from '../wire/json-edits.ts'

/**
 * Ids that a server creates in a response belong to the owner of the call. A request state is to be rejected when "presented by a different
 * principal" (2026-07-28, patterns/mrtr), and "receivers MUST bind tasks" to the authorization context (2025-11-25, basic/utilities/tasks,
 * Task Isolation and Access Control). A stdio server does not know its callers, so clients get these ids sealed, like MCP session ids.
 */
export interface OwnedIds {
  seal(value: string, purpose: SealPurpose): string
  /** Undefined when it belongs to another owner. */
  open(sealed: string, purpose: SealPurpose): string | undefined
}

export function createOwnedIds(seal: SessionSeal, { route, principal }: Call): OwnedIds {
  return {
    seal: (value, purpose) => seal.seal(value, purpose, route.server, principal),
    open: (sealed, purpose) => seal.open(sealed, purpose, route.server, principal),
  }
}

/** Methods of the Tasks extension that name a task (ext-tasks, 2026-07-28). */
const TASK_METHODS = /^tasks\//

/** Where a message has an id, which kind of id, and whether it is required. */
interface Place {
  readonly path: readonly [string, ...string[]]
  readonly purpose: SealPurpose
  readonly isRequired: boolean
  /** Whether it is a list of ids. */
  readonly isList?: boolean
}

/**
 * Replaces the sealed ids of a request by those that the server knows.
 *
 * @returns undefined when an id is invalid, or belongs to another owner
 */
export function openOwnedIds(message: ClientMessage, ids: OwnedIds): ClientMessage | undefined {
  const edits: [readonly string[], string][] = []
  for (const { path, purpose, isRequired, isList } of placesInRequest(message.method)) {
    const [first, ...deeper] = path
    const sealed = deeper.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), readParam(message, first))
    if (sealed === undefined && !isRequired) continue
    const open = (one: unknown) => (typeof one === 'string' ? ids.open(one, purpose) : undefined)
    const opened = isList ? openEach(sealed, open) : open(sealed)
    if (opened === undefined) return undefined
    edits.push([['params', ...path], JSON.stringify(opened)])
  }
  return edits.length === 0 ? message : replaceIn(message, edits)
}

function replaceIn(message: ClientMessage, members: readonly (readonly [readonly string[], string])[]): ClientMessage {
  return createClientMessage(replaceMembers(message.text, members))
}

function placesInRequest(method: string): Place[] {
  const places: Place[] = [{ path: ['requestState'], purpose: 'request-state', isRequired: false }]
  if (TASK_METHODS.test(method)) places.push({ path: ['taskId'], purpose: 'task', isRequired: true })
  if (method === 'subscriptions/listen')
    places.push({ path: ['notifications', 'taskIds'], purpose: 'task', isRequired: false, isList: true })
  return places
}

function openEach(sealed: unknown, open: (one: unknown) => string | undefined): string[] | undefined {
  if (!Array.isArray(sealed)) return undefined
  const opened = sealed.map(open)
  return opened.includes(undefined) ? undefined : (opened as string[])
}

/** Seals the ids in the response to a request of `method`. @throws StrictJsonError when the response can be read in two ways */
export function sealAnswer(method: string, text: string, value: Readonly<Record<string, unknown>>, ids: OwnedIds): string {
  const { result } = value
  if (!isObject(result)) return text
  const edits: [readonly string[], string][] = []
  if (typeof result.requestState === 'string')
    edits.push([['result', 'requestState'], JSON.stringify(ids.seal(result.requestState, 'request-state'))])
  const isTask = result.resultType === 'task' || TASK_METHODS.test(method)
  if (isTask && typeof result.taskId === 'string')
    edits.push([['result', 'taskId'], JSON.stringify(ids.seal(result.taskId, 'task'))])
  return edits.length === 0 ? text : replaceMembers(text, edits)
}

/** Seals the ids in a notification. The channel has checked that it can be read in one way only. */
export function sealNotification(message: ChildMessage, text: string, ids: OwnedIds): string {
  const { method } = message
  const params = paramsOf(message)
  if (method === 'notifications/tasks' && typeof params.taskId === 'string')
    return replaceMembers(text, [[['params', 'taskId'], JSON.stringify(ids.seal(params.taskId, 'task'))]])
  const taskIds = isObject(params.notifications) ? params.notifications.taskIds : undefined
  if (method !== 'notifications/subscriptions/acknowledged' || !Array.isArray(taskIds)) return text
  const sealed = taskIds.filter((id) => typeof id === 'string').map((id) => ids.seal(id, 'task'))
  return replaceMembers(text, [[['params', 'notifications', 'taskIds'], JSON.stringify(sealed)]])
}

function replaceMembers(text: string, members: readonly (readonly [path: readonly string[], json: string])[]): string {
  const outline = outlineMessage(text)
  const edits = members.flatMap(([path, json]): Edit[] => {
    const member = findMember(outline, ...path)
    return member ? [replaceAt(member, json)] : []
  })
  return applyEdits(text, edits)
}
