import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { JsonMembers, JsonOutline } from '../core/json/json-outline.ts'
import { outlineJson, readJsonString } from '../core/json/strict-json.ts'
import { StrictJsonError } from '../core/json/strict-json-error.ts'
import { findMethodLookAlike } from '../core/method-spelling.ts'
import { type Completing, METHODS_WITH_ARGUMENTS, type Operation, type TextSpan } from '../core/operation.ts'
import { findArgumentSpans } from './argument-spans.ts'
import { refuseLookAlikes, reserveKeys } from './reserved-keys.ts'
import { readTargets, type Target } from './targets.ts'

/** A parsed request body, as far as policy needs it. */
export interface ParsedBody {
  readonly operations: readonly Operation[]
  /** Whether the body was a JSON array (2025-03-26, basic, Batching). */
  readonly isBatch: boolean
  /** `_meta["io.modelcontextprotocol/protocolVersion"]` of a single message (2026-07-28, basic/index, `_meta`). */
  readonly revision: string | undefined
  /** As in a call (`core/call.ts`). */
  readonly argumentSpans: readonly (TextSpan | undefined)[]
  /** `protocolVersion` of each `initialize`; empty where it is no string. */
  readonly openedRevisions: readonly string[]
  /** Whether a single `initialize` declares elicitation by URL. */
  readonly urlElicitation: boolean
}

export interface MessageLimits {
  /** Deepest nesting of objects and arrays. */
  readonly jsonDepth: number
  /** Most members of a batch. */
  readonly batchMembers: number
}

const REVISION_KEY = 'io.modelcontextprotocol/protocolVersion'
const ENVELOPE_KEYS = reserveKeys('jsonrpc', 'id', 'method', 'params', 'result', 'error')
const PARAMS_KEYS = reserveKeys(
  'name',
  'uri',
  'arguments',
  'ref',
  'argument',
  'context',
  'notifications',
  'protocolVersion',
  '_meta',
  // Of processes that users share, only their owner may name these (`upstream/stdio/modern/owned-ids.ts`).
  'taskId',
  'requestState',
)
const META_KEYS = reserveKeys(REVISION_KEY, 'progressToken')
/** Policy checks every target of a request. More, or longer ones, would block the event loop for too long. */
const MAX_TARGETS = 1000
const MAX_TARGET_CHARACTERS = 64 * 1024
/** Of the messages, their `params`, `result` and `error`, and `_meta` and `notifications` in them. They are read again outside of the thread that reads long bodies; what is in `arguments` is not. */
const MAX_ENVELOPE_MEMBERS = 10_000
/** A substring keeps the whole text in memory. Long answers, and caches of names, would hold all of a longer one. */
const MAX_HELD_CHARACTERS = 2048
/** An id is repeated in responses and logs. */
const MAX_ID_LENGTH = 1024

/**
 * Reads the messages of a request body.
 *
 * @param text - the body, decoded from UTF-8 without loss
 * @throws ProxyError `json_invalid`, `json_ambiguous`, `message_invalid`, `params_invalid`
 */
export function parseMessages(text: string, limits: MessageLimits): ParsedBody {
  const root = outline(text, limits)
  const isBatch = root.kind === 'array'
  const operations = isBatch ? readBatch(text, root, limits.batchMembers) : readMessage(text, root)
  checkAmount(operations)
  checkEnvelopes(root)
  const opens = operations.some(({ method }) => method === 'initialize')
  return {
    operations: text.length > MAX_HELD_CHARACTERS ? operations.map(letGoOfText) : operations,
    isBatch,
    revision: isBatch ? undefined : findRevisionInBody(text, root),
    argumentSpans: operations.some(({ method }) => METHODS_WITH_ARGUMENTS.has(method)) ? findArgumentSpans(text, root) : NO_SPANS,
    openedRevisions: opens ? findOpenedRevisions(text, root) : NONE,
    urlElicitation: opens && declaresUrlElicitation(root),
  }
}

const NONE: readonly string[] = []
const NO_SPANS: readonly undefined[] = []

/**
 * The revision that a body asks for; several `initialize` of a batch may ask for different ones, which are told in their order.
 *
 * @param applied - the one that applies, and is told where the body asks for none
 */
export function findAskedRevision(body: ParsedBody, applied: string): string {
  const { openedRevisions, revision = applied } = body
  if (openedRevisions.length === 0) return revision === applied ? applied : cutRevision(revision)
  const [first, ...more] = new Set(openedRevisions.filter((opened) => opened !== '').map(cutRevision))
  return more.length === 0 ? (first ?? applied) : [first, ...more].join(', ')
}

/** A date has ten characters; anything may stand in its place. */
const MAX_REVISION = 64

/** Copied: a substring keeps the whole body in memory. */
function cutRevision(revision: string): string {
  return revision.length <= MAX_REVISION ? Buffer.from(revision).toString() : `${Buffer.from(revision.slice(0, MAX_REVISION))}…`
}

function findOpenedRevisions(text: string, root: JsonOutline): string[] {
  const calls = (root.items ?? [root]).filter(({ members }) => readString(text, members?.get('method')) === 'initialize')
  return calls.map(({ members }) => readString(text, members?.get('params')?.members?.get('protocolVersion')) ?? '')
}

/** `capabilities.elicitation.url` (2025-11-25, client/elicitation, Capabilities). */
function declaresUrlElicitation({ members }: JsonOutline): boolean {
  const capabilities = members?.get('params')?.members?.get('capabilities')
  return capabilities?.members?.get('elicitation')?.members?.get('url')?.kind === 'object'
}

/** Copies the strings: a substring keeps the whole body in memory, and operations are kept for as long as the answer takes. */
function letGoOfText({ kind, method, targetKind, target, id, completing }: Operation): Operation {
  const copy = (piece: string | undefined): string | undefined => piece && Buffer.from(piece).toString()
  const operation: Operation = { kind, method: copy(method) ?? '', targetKind, target: copy(target), id: copy(id) }
  return completing === undefined ? operation : { ...operation, completing: structuredClone(completing) }
}

function readBatch(text: string, { items }: JsonOutline, most: number): Operation[] {
  if (items === undefined || items.length > most) throw invalid('batch_size', `batch of more than ${most} members`)
  if (items.length === 0) throw invalid('batch_size', 'empty batch')
  return items.flatMap((member) => readMessage(text, member))
}

function checkAmount(operations: readonly Operation[]): void {
  if (operations.length > MAX_TARGETS) throw invalidParams('targets_too_many', `more than ${MAX_TARGETS} targets`)
  let characters = 0
  for (const { target, completing } of operations) characters += (target?.length ?? 0) + countCharacters(completing)
  if (characters > MAX_TARGET_CHARACTERS)
    throw invalidParams('targets_too_long', `targets of more than ${MAX_TARGET_CHARACTERS} characters`)
}

function checkEnvelopes(root: JsonOutline): void {
  let members = 0
  for (const message of root.items ?? [root]) members += countEnvelope(message)
  if (members > MAX_ENVELOPE_MEMBERS)
    throw invalid('members_too_many', `more than ${MAX_ENVELOPE_MEMBERS} members beside arguments`)
}

function countEnvelope({ members }: JsonOutline): number {
  let count = members?.size ?? 0
  for (const name of ['params', 'result', 'error']) {
    const inner = members?.get(name)?.members
    count += (inner?.size ?? 0) + (inner?.get('_meta')?.members?.size ?? 0) + (inner?.get('notifications')?.members?.size ?? 0)
  }
  return count
}

function countCharacters(completing: Completing | undefined): number {
  if (completing === undefined) return 0
  let characters = completing.name.length + completing.value.length
  for (const [name, value] of completing.others) characters += name.length + value.length
  return characters
}

function outline(text: string, { jsonDepth, batchMembers }: MessageLimits): JsonOutline {
  try {
    // message → params → _meta, ref, notifications → lists in those; a batch adds one level.
    const depth = text.trimStart().startsWith('[') ? 5 : 4
    return outlineJson(text, jsonDepth, depth, Math.max(batchMembers, MAX_TARGETS))
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new ProxyError(error.kind === 'syntax' ? 'json_invalid' : 'json_ambiguous', { cause: error.message })
  }
}

function readMessage(text: string, message: JsonOutline): Operation[] {
  const members = message.members
  if (!members) throw invalid('not_json_rpc', 'not an object')
  refuseLookAlikes(members, ENVELOPE_KEYS)
  if (readString(text, members.get('jsonrpc')) !== '2.0') throw invalid('not_json_rpc', 'jsonrpc is not "2.0"')
  return members.has('method') ? readCallingMessage(text, members) : [readResponse(text, members)]
}

function readCallingMessage(text: string, members: JsonMembers): Operation[] {
  if (members.has('result') || members.has('error')) throw invalid('not_json_rpc', 'both a method and a result')
  const method = readString(text, members.get('method'))
  if (!method || method.includes('\0')) throw invalid('method_invalid', 'method is not a string without NUL')
  const known = findMethodLookAlike(method)
  if (known !== undefined) throw invalid('method_ambiguous', `a method that looks like ${known}`)
  const params = members.get('params')
  if (params && !params.members) throw invalidParams('type_wrong', 'params is not an object')
  if (params?.members) checkParams(params.members)
  const id = readId(text, members.get('id'), method)
  return readTargets(text, method, params?.members).map((target) => createOperation(method, id, target))
}

/** Of each message of a batch, too: progress tokens are replaced in `_meta`, and members of ours added. */
function checkParams(members: JsonMembers): void {
  refuseLookAlikes(members, PARAMS_KEYS)
  const meta = members.get('_meta')
  if (!meta) return
  if (!meta.members) throw invalidParams('type_wrong', '_meta is not an object')
  refuseLookAlikes(meta.members, META_KEYS)
}

function createOperation(method: string, id: string | undefined, target: Target): Operation {
  const operation: Operation = {
    kind: id === undefined ? 'notification' : 'request',
    method,
    targetKind: target.kind,
    target: target.name,
    id,
  }
  return target.completing === undefined ? operation : { ...operation, completing: target.completing }
}

function readResponse(text: string, members: JsonMembers): Operation {
  if (members.has('result') === members.has('error')) throw invalid('not_json_rpc', 'neither a call nor a response')
  const id = readId(text, members.get('id'), 'response')
  if (id === undefined) throw invalid('id_invalid', 'response without an id')
  return { kind: 'response', method: '', targetKind: undefined, target: undefined, id: undefined }
}

/**
 * The id in JSON. A string or an integer (2026-07-28, basic/index, Requests: never null), which some libraries write as 1.0, and no
 * integer that decoders round differently.
 */
function readId(text: string, id: JsonOutline | undefined, method: string): string | undefined {
  if (!id) return undefined
  const raw = text.slice(id.start, id.end)
  if (raw.length > MAX_ID_LENGTH) throw invalid('id_invalid', `id of ${method} is too long`)
  if (isRequestId(raw)) return raw
  throw invalid('id_invalid', 'id is neither a string nor an integer')
}

/** @param raw - a value in JSON */
export function isRequestId(raw: string): boolean {
  if (raw.length > MAX_ID_LENGTH) return false
  return raw.startsWith('"') || (/^-?\d+(?:\.0+)?$/.test(raw) && Number.isSafeInteger(Number(raw)))
}

function findRevisionInBody(text: string, message: JsonOutline): string | undefined {
  const revision = message.members?.get('params')?.members?.get('_meta')?.members?.get(REVISION_KEY)
  if (!revision) return undefined
  const value = readString(text, revision)
  if (value === undefined) throw invalidParams('type_wrong', 'the protocol version is not a string')
  return value
}

function readString(text: string, outline: JsonOutline | undefined): string | undefined {
  return outline?.kind === 'string' ? readJsonString(text, outline) : undefined
}

function invalid(reason: ReasonOf<'message_invalid'>, cause: string): ProxyError {
  return new ProxyError('message_invalid', { reason, cause })
}

function invalidParams(reason: ReasonOf<'params_invalid'>, cause: string): ProxyError {
  return new ProxyError('params_invalid', { reason, cause })
}
