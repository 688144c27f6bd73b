import { createHash } from 'node:crypto'
import { isObject } from '../../../core/is-object.ts'
import { applyEdits, type Edit, insertMembers, replaceAt } from '../../../core/json/json-edits.ts'
import { outlineMessage } from '../../../core/json/outline-messages.ts'
import { type ClientMessage, readParam } from '../wire/client-messages.ts'
import { findMember, withoutMembers } from '../wire/json-edits.ts'
import { BRIDGED_REVISIONS, META_KEYS } from '../wire/modern-envelope.ts'

/** Methods whose results say how long they may be cached (2026-07-28, server/utilities/caching). */
const CACHEABLE_METHODS = new Set(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read'])
/** What a modern request repeats each time, and a legacy server learns from `initialize`. */
const ENVELOPE_KEYS: ReadonlySet<string> = new Set([
  META_KEYS.protocolVersion,
  META_KEYS.clientInfo,
  META_KEYS.clientCapabilities,
  META_KEYS.logLevel,
])
const RETRY_KEYS: ReadonlySet<string> = new Set(['inputResponses', 'requestState'])
const VOLATILE_KEYS: ReadonlySet<string> = new Set([...RETRY_KEYS, '_meta'])
/** Capabilities that are not translated: the messages of extensions are unknown here. */
const UNTRANSLATED_CAPABILITIES = ['tasks', 'extensions']

/** A modern request for a legacy server: without its envelope, and without the members for round trips. */
export function toLegacyRequest(message: ClientMessage): ClientMessage {
  const outline = outlineMessage(message.text)
  const params = findMember(outline, 'params')
  const meta = findMember(outline, 'params', '_meta')
  if (!params || !meta) return message
  const metaText = withoutMembers(message.text, meta, ENVELOPE_KEYS)
  const rest = withoutMembers(message.text, params, VOLATILE_KEYS)
  const members = [rest.slice(1, -1), metaText === '{}' ? '' : `"_meta":${metaText}`].filter((part) => part !== '')
  return { ...message, text: applyEdits(message.text, [replaceAt(params, `{${members.join(',')}}`)]) }
}

/** The same for a request and its retries, and different for every other request. */
export function digestRequest(message: ClientMessage): string {
  const params = findMember(outlineMessage(message.text), 'params')
  const salient = params ? withoutMembers(message.text, params, VOLATILE_KEYS) : ''
  return createHash('sha256').update(message.method).update('\0').update(salient).digest('base64url')
}

/** The capabilities of a modern client that a legacy server gets. */
export function toLegacyCapabilities(capabilities: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(capabilities).filter(([name]) => !UNTRANSLATED_CAPABILITIES.includes(name)))
}

/**
 * Translates the response of a legacy server to 2026-07-28: results say that they are complete, how long they may be cached (not at all), and
 * which server they are from. Error codes that are obsolete are replaced.
 *
 * @param text - with the client's id
 */
export function toModernAnswer(
  method: string,
  text: string,
  value: Readonly<Record<string, unknown>>,
  serverInfo: unknown,
): { text: string; value: Readonly<Record<string, unknown>> } {
  const outline = outlineMessage(text)
  if (isObject(value.error)) {
    const code = findMember(outline, 'error', 'code')
    // "-32002 — resource not found (2025-11-25 and earlier; replaced by -32602)" (2026-07-28, basic/index, Error Codes).
    if (value.error.code !== -32002 || !code) return { text, value }
    return { text: applyEdits(text, [replaceAt(code, '-32602')]), value: { ...value, error: { ...value.error, code: -32602 } } }
  }
  const result = findMember(outline, 'result')
  if (!result?.members) return { text, value }
  const added: string[] = []
  const add = (name: string, json: string): void => {
    if (!result.members?.has(name)) added.push(`"${name}":${json}`)
  }
  add('resultType', '"complete"')
  if (CACHEABLE_METHODS.has(method)) {
    add('ttlMs', '0')
    add('cacheScope', '"private"')
  }
  const info = `"${META_KEYS.serverInfo}":${JSON.stringify(serverInfo)}`
  if (serverInfo !== undefined) add('_meta', `{${info}}`)
  const edits: Edit[] = added.length > 0 ? [insertMembers(result, added.join(','))] : []
  const meta = findMember(outline, 'result', '_meta')
  if (meta?.members && !meta.members.has(META_KEYS.serverInfo) && serverInfo !== undefined) edits.push(insertMembers(meta, info))
  return { text: applyEdits(text, edits), value }
}

/** `server/discover`, answered from what the server said at `initialize`. */
export function formatDiscovery(id: string, initialized: Readonly<Record<string, unknown>>): string {
  const { capabilities, serverInfo, instructions } = initialized
  const result = {
    resultType: 'complete',
    supportedVersions: BRIDGED_REVISIONS,
    capabilities: toLegacyCapabilities(isObject(capabilities) ? capabilities : {}),
    ...(typeof instructions === 'string' ? { instructions } : {}),
    ttlMs: 0,
    cacheScope: 'private',
    ...(serverInfo === undefined ? {} : { _meta: { [META_KEYS.serverInfo]: serverInfo } }),
  }
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`
}

/** A request of a server, as an entry of `inputRequests` (2026-07-28, patterns/mrtr). */
export interface InputRequest {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/** `elicitationId` was removed along with its notification (2026-07-28, changelog). */
export function toInputRequest(method: string, params: Readonly<Record<string, unknown>>): InputRequest {
  const { elicitationId: _id, _meta, ...rest } = params
  return { method, params: rest }
}

/** The capability that the client lacks for this request; undefined when it lacks none. */
export function findMissingCapability(
  { method, params }: InputRequest,
  capabilities: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  const name = { 'elicitation/create': 'elicitation', 'sampling/createMessage': 'sampling', 'roots/list': 'roots' }[method]
  if (name === undefined) return { [method]: {} }
  const declared = capabilities[name]
  // "An empty elicitation capability is the form mode alone" (2025-11-25, client/elicitation, Capabilities).
  if (params.mode === 'url' && !(isObject(declared) && isObject(declared.url))) return { elicitation: { url: {} } }
  if (!isObject(declared)) return { [name]: {} }
  const isForm = method === 'elicitation/create' && params.mode !== 'url'
  if (isForm && isObject(declared.url) && !isObject(declared.form)) return { elicitation: { form: {} } }
  // "Servers MUST NOT send tool-enabled sampling requests" without that capability (2025-11-25, client/sampling, Capabilities).
  const hasTools = method === 'sampling/createMessage' && (params.tools !== undefined || params.toolChoice !== undefined)
  return hasTools && !isObject(declared.tools) ? { sampling: { tools: {} } } : undefined
}

export function formatInputRequired(
  id: string,
  inputRequests: Readonly<Record<string, InputRequest>>,
  requestState: string,
): string {
  const result = { resultType: 'input_required', inputRequests, requestState }
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`
}

/** The elicitations that a legacy server's error -32042 asks for (2025-11-25, client/elicitation, URL Elicitation Required). */
export function readUrlElicitations(value: Readonly<Record<string, unknown>>): InputRequest[] | undefined {
  const error = isObject(value.error) ? value.error : undefined
  if (error?.code !== -32042) return undefined
  const elicitations = isObject(error.data) && Array.isArray(error.data.elicitations) ? error.data.elicitations : []
  return elicitations.filter(isObject).map((params) => toInputRequest('elicitation/create', params))
}

/** The members of a request that belong to round trips. */
export function readRetry(message: ClientMessage): { requestState: unknown; inputResponses: Readonly<Record<string, unknown>> } {
  const inputResponses = readParam(message, 'inputResponses')
  return { requestState: readParam(message, 'requestState'), inputResponses: isObject(inputResponses) ? inputResponses : {} }
}
