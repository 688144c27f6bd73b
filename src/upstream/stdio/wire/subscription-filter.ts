import type { ChildMessage } from './child-messages.ts'
import { type ClientMessage, paramsOf, readParam } from './client-messages.ts'
import { isObject } from './modern-envelope.ts'

/** What a `subscriptions/listen` request asks for (2026-07-28, patterns/subscriptions). */
export interface Filter {
  readonly toolsListChanged?: true
  readonly promptsListChanged?: true
  readonly resourcesListChanged?: true
  readonly resourceSubscriptions?: readonly string[]
  /** Of the Tasks extension (ext-tasks, Task Status Notifications). */
  readonly taskIds?: readonly string[]
}

/** Kinds of change, as the filter, the server's capabilities and the notifications call them. */
export const kinds = [
  { filter: 'toolsListChanged', capability: 'tools', method: 'notifications/tools/list_changed' },
  { filter: 'promptsListChanged', capability: 'prompts', method: 'notifications/prompts/list_changed' },
  { filter: 'resourcesListChanged', capability: 'resources', method: 'notifications/resources/list_changed' },
] as const

/** What a client wants to hear of; anything else was not asked for. */
export function readFilter(message: ClientMessage): Filter {
  const notifications = readParam(message, 'notifications')
  if (!isObject(notifications)) return {}
  const filter: Record<string, unknown> = {}
  for (const { filter: name } of kinds) if (notifications[name] === true) filter[name] = true
  for (const name of ['resourceSubscriptions', 'taskIds'])
    if (Array.isArray(notifications[name])) filter[name] = notifications[name]
  return filter
}

/** "The server MUST NOT send notification types the client has not explicitly requested" (2026-07-28, patterns/subscriptions). */
export function wants(filter: Filter, message: ChildMessage): boolean {
  if (message.method === 'notifications/resources/updated') return includes(filter.resourceSubscriptions, paramsOf(message).uri)
  if (message.method === 'notifications/tasks') return includes(filter.taskIds, paramsOf(message).taskId)
  return kinds.some(({ filter: name, method }) => method === message.method && filter[name] === true)
}

function includes(list: readonly string[] | undefined, value: unknown): boolean {
  return typeof value === 'string' && list?.includes(value) === true
}
