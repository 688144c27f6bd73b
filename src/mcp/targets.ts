import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { JsonMembers, JsonOutline } from '../core/json/json-outline.ts'
import { readJsonString } from '../core/json/strict-json.ts'
import type { Completing, Operation } from '../core/operation.ts'
import { type ReservedKeys, refuseLookAlikes, reserveKeys } from './reserved-keys.ts'

/** The target of a message, for policy. */
export interface Target {
  readonly kind: Operation['targetKind']
  readonly name: string | undefined
  readonly completing?: Completing
}

type Reader = (text: string, params: JsonMembers | undefined, method: string) => Target[]

const REFERENCE_KEYS = reserveKeys('type', 'name', 'uri')
const ARGUMENT_KEYS = reserveKeys('name', 'value')
const CONTEXT_KEYS = reserveKeys('arguments')
const FILTER_KEYS = reserveKeys('resourceSubscriptions', 'taskIds')

const NO_TARGET: Target[] = [{ kind: undefined, name: undefined }]

/** Methods that have a target, with how it is read. All others have none. */
const READERS = new Map<string, Reader>([
  ['tools/call', named('tool', 'name')],
  ['prompts/get', named('prompt', 'name')],
  ['resources/read', named('resource', 'uri')],
  ['resources/subscribe', readSubscribed],
  ['resources/unsubscribe', readSubscribed],
  ['completion/complete', readReference],
  ['subscriptions/listen', readSubscriptions],
])

/** Methods for which `Mcp-Name` is required (2026-07-28, streamable-http, Standard Request Headers). */
export const METHODS_WITH_NAME_HEADER: ReadonlySet<string> = new Set(['tools/call', 'resources/read', 'prompts/get'])

/**
 * The targets of a message, one entry for each; exactly one without a name where the method has no target, or the message names none.
 *
 * @throws ProxyError `params_invalid` where a method lacks the target that it needs
 */
export function readTargets(text: string, method: string, params: JsonMembers | undefined): Target[] {
  const reader = READERS.get(method)
  return reader ? reader(text, params, method) : NO_TARGET
}

function named(kind: Target['kind'], key: string): Reader {
  return (text, params, method) => [{ kind, name: readName(text, params?.get(key), `${key} of ${method}`) }]
}

function readName(text: string, value: JsonOutline | undefined, what: string): string {
  if (value?.kind !== 'string') throw invalidParams('type_wrong', `${what} is not a string`)
  const name = readJsonString(text, value)
  // In C a string ends there, so policy and the MCP server would see different names.
  if (name.includes('\0')) throw invalidParams('name_invalid', `${what} contains a NUL`)
  return name
}

/**
 * 2026-07-28 has removed these methods, and an MCP server has to say so for any content (streamable-http, Protocol Version Header), also when
 * the URI is missing. For policy, a resource without a name may be any resource.
 */
function readSubscribed(text: string, params: JsonMembers | undefined, method: string): Target[] {
  return params?.has('uri') ? named('resource', 'uri')(text, params, method) : [{ kind: 'resource', name: undefined }]
}

/** `completion/complete` reveals arguments of a prompt or a resource template: it counts as using it. */
function readReference(text: string, params: JsonMembers | undefined): Target[] {
  const ref = params?.get('ref')?.members
  if (!ref) throw invalidParams('type_wrong', 'ref of completion/complete is not an object')
  refuseLookAlikes(ref, REFERENCE_KEYS)
  const type = readName(text, ref.get('type'), 'type of ref')
  if (type === 'ref/prompt') return [{ kind: 'prompt', name: readName(text, ref.get('name'), 'name of ref') }]
  if (type === 'ref/resource') {
    const completing = readCompleting(text, params)
    return [{ kind: 'resource', name: readName(text, ref.get('uri'), 'uri of ref'), ...(completing && { completing }) }]
  }
  throw invalidParams('reference_unknown', 'type of ref is unknown')
}

/** The values of a template's variables (2025-06-18, server/utilities/completion). */
function readCompleting(text: string, params: JsonMembers | undefined): Completing | undefined {
  const argument = readMembers(params?.get('argument'), 'argument', ARGUMENT_KEYS)
  const context = readMembers(params?.get('context'), 'context', CONTEXT_KEYS)
  const others = new Map<string, string>()
  const chosen = readMembers(context?.get('arguments'), 'arguments of context')
  chosen?.forEach((name, value) => {
    others.set(name, readName(text, value, 'a value of context'))
  })
  if (!argument?.has('name') && !argument?.has('value')) return undefined
  const name = readName(text, argument.get('name'), 'name of argument')
  const value = readName(text, argument.get('value'), 'value of argument')
  if (others.has(name)) throw invalidParams('contradictory', 'context has a value for the argument itself')
  return { name, value, others }
}

function readMembers(value: JsonOutline | undefined, what: string, reserved?: ReservedKeys): JsonMembers | undefined {
  if (value === undefined) return undefined
  if (!value.members) throw invalidParams('type_wrong', `${what} is not an object`)
  if (reserved) refuseLookAlikes(value.members, reserved)
  return value.members
}

/** `subscriptions/listen` may name resources to subscribe to (2026-07-28, patterns/subscriptions, Notification Filter). */
function readSubscriptions(text: string, params: JsonMembers | undefined): Target[] {
  const notifications = params?.get('notifications')
  if (notifications && !notifications.members) throw invalidParams('type_wrong', 'notifications is not an object')
  if (notifications?.members) refuseLookAlikes(notifications.members, FILTER_KEYS)
  const uris = notifications?.members?.get('resourceSubscriptions')
  if (!uris) return NO_TARGET
  if (!uris.items) throw invalidParams('type_wrong', 'resourceSubscriptions is not a list, or too long')
  const targets = uris.items.map((uri): Target => ({ kind: 'resource', name: readName(text, uri, 'resourceSubscriptions') }))
  return targets.length > 0 ? targets : NO_TARGET
}

function invalidParams(reason: ReasonOf<'params_invalid'>, cause: string): ProxyError {
  return new ProxyError('params_invalid', { reason, cause })
}
