import { isObject } from '../../../core/is-object.ts'
import type { ChildMessage } from './child-messages.ts'
import { type ClientMessage, paramsOf, readParam } from './client-messages.ts'

/** What a `subscriptions/listen` request asks for (2026-07-28, patterns/subscriptions). */
export interface Filter {
  readonly toolsListChanged?: true
  readonly promptsListChanged?: true
  readonly resourcesListChanged?: true
  readonly resourceSubscriptions?: ReadonlySet<string>
  /** Of the Tasks extension (ext-tasks, Task Status Notifications). */
  readonly taskIds?: ReadonlySet<string>
}

export const TOOLS_LIST_CHANGED = 'notifications/tools/list_changed'

/** Kinds of change, by their names in the filter, the capabilities and the notifications. */
export const CHANGE_KINDS = [
  { filter: 'toolsListChanged', capability: 'tools', method: TOOLS_LIST_CHANGED },
  { filter: 'promptsListChanged', capability: 'prompts', method: 'notifications/prompts/list_changed' },
  { filter: 'resourcesListChanged', capability: 'resources', method: 'notifications/resources/list_changed' },
] as const

/** Reads what a client subscribes to. Unknown values are ignored. */
export function readFilter(message: ClientMessage): Filter {
  const notifications = readParam(message, 'notifications')
  if (!isObject(notifications)) return {}
  const filter: Record<string, unknown> = {}
  for (const { filter: name } of CHANGE_KINDS) if (notifications[name] === true) filter[name] = true
  for (const name of ['resourceSubscriptions', 'taskIds'])
    if (Array.isArray(notifications[name])) filter[name] = readStrings(notifications[name])
  return filter
}

/** The most bytes that a subscription takes while it lasts. */
export function measureFilter({ resourceSubscriptions, taskIds }: Filter): number {
  return [...(resourceSubscriptions ?? []), ...(taskIds ?? [])].reduce((sum, text) => sum + 2 * text.length + 100, 2000)
}

/** "The server MUST NOT send notification types the client has not explicitly requested" (2026-07-28, patterns/subscriptions). */
export function wants(filter: Filter, message: ChildMessage): boolean {
  if (message.method === 'notifications/resources/updated') return includes(filter.resourceSubscriptions, paramsOf(message).uri)
  if (message.method === 'notifications/tasks') return includes(filter.taskIds, paramsOf(message).taskId)
  return CHANGE_KINDS.some(({ filter: name, method }) => method === message.method && filter[name] === true)
}

/** A set, since the server decides how often it is searched. */
export function readStrings(list: readonly unknown[]): ReadonlySet<string> {
  return new Set(list.filter((one) => typeof one === 'string'))
}

function includes(list: ReadonlySet<string> | undefined, value: unknown): boolean {
  return typeof value === 'string' && list?.has(value) === true
}
