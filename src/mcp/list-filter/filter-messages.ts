import type { ListedKind, ListFilter } from '../../core/decision.ts'
import { ProxyError } from '../../core/errors.ts'
import { type Edit, insertMembers, removeItems, replaceAt } from '../../core/json/json-edits.ts'
import { type Outline, outlineChosen, type PickMember } from '../../core/json/shallow-outline.ts'
import { findLookAlike, type ReservedKeys, reserveKeys } from '../reserved-keys.ts'
import { createNameSearch } from './find-names.ts'

/** What decides what a principal is shown. */
export interface Visibility {
  /** A filter for one result or notification: each has a budget of work. */
  createFilter(): ListFilter
  /** Whether results have a `cacheScope` (from 2026-07-28 on). */
  readonly hasCacheScope: boolean
}

/** Lists by the member of the result that holds them, with the member by which an item is asked for. */
const LISTS: ReadonlyMap<string, { readonly kind: ListedKind; readonly key: string }> = new Map([
  ['tools', { kind: 'tool', key: 'name' }],
  ['prompts', { kind: 'prompt', key: 'name' }],
  ['resources', { kind: 'resource', key: 'uri' }],
  ['resourceTemplates', { kind: 'resource_template', key: 'uriTemplate' }],
])

const UPDATED = 'notifications/resources/updated'
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
/** Both in the spellings of readers that do not mind case, blanks and what is behind a NUL. */
const TOLD_OF_RESOURCES = /^\s*notifications\/(?:resources\/updated|subscriptions\/acknowledged)\s*(?:\0|$)/iu

const ENVELOPE_KEYS = reserveKeys('method', 'params', 'result')
const RESULT_KEYS = reserveKeys(...LISTS.keys(), 'cacheScope')
const PARAMS_KEYS = reserveKeys('uri', 'notifications')
const SUBSCRIPTION_KEYS = reserveKeys('resourceSubscriptions')

/**
 * Members without which nothing is filtered. `notifications/resources/updated` has the name of one of them in it, and an acknowledgment is
 * about nothing else that is hidden.
 */
export const mayHoldHidden: (text: string) => boolean = createNameSearch([...LISTS.keys(), 'resourceSubscriptions', 'cacheScope'])

/** Lists hold items with members; what is subscribed to is an object with a list. */
const DEEPER: ReadonlyMap<string, number> = new Map([
  ...[...LISTS.keys()].map((name) => [name, 2] as const),
  ['notifications', 2],
])
/** Of items, only that member is looked at. */
const PICKS = new Map([...LISTS].map(([name, { key }]) => [name, createPick(key)] as const))

function createPick(key: string): PickMember {
  const keys = reserveKeys(key)
  return (name) => {
    if (name === key) return true
    refuseLookAlike(name, keys)
    return false
  }
}

/** More than a page of a list has. Reading so many takes some ten milliseconds. */
const MAX_VALUES = 100_000
/** Each item may cost a decision. */
const MAX_ITEMS = 10_000
/** A filter's budget is meant for one result of ordinary length. A longer one gets one for each of its parts. */
const ITEMS_OF_FILTER = 500

/**
 * Finds what a principal may not use in JSON-RPC messages: items of lists, notifications about resources. Lists are found by their
 * shape, never by the id of the request: an answer may arrive on another connection, or at another process, than its request. The bytes of
 * what stays are those that came. A text that can hold none of that passes unparsed.
 *
 * @param text - one message, or a batch
 * @returns what takes it out, nothing where nothing changes; undefined where nothing stays
 * @throws ProxyError `answer_unfilterable` for what can be read in two ways, or not at all
 */
export function findHidden(text: string, visibility: Visibility): readonly Edit[] | undefined {
  // No JSON holds one. UTF-16 and UTF-32 do, and some decoders find out by themselves that it is that.
  if (text.includes('\0')) throw refuse('a NUL')
  if (!mayHoldHidden(text)) return NO_EDITS
  const root = outline(text)
  const edits: Edit[] = []
  const stays = (message: Outline): boolean => filterMessage(text, message, visibility, edits)
  if (root.items === undefined) {
    if (!stays(root)) return undefined
  } else {
    const removals = removeItems(root.items, stays)
    if (removals.length > 0 && covers(removals, root.items)) return undefined
    edits.push(...removals)
  }
  return edits
}

const NO_EDITS: readonly Edit[] = []

function covers([first, ...more]: readonly Edit[], items: readonly Outline[]): boolean {
  return more.length === 0 && first?.start === items[0]?.start && first?.end === items.at(-1)?.end
}

function outline(text: string): Outline {
  try {
    // Message → params or result → what is in it. A batch adds one level.
    return outlineChosen(text, /^[ \t\r\n]*\[/.test(text) ? 3 : 2, { deeper: DEEPER, picks: PICKS, maxValues: MAX_VALUES })
  } catch (error) {
    if (error instanceof ProxyError) throw error
    throw refuse(`not readable JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Adds the edits of a message that stays. */
function filterMessage(text: string, { members }: Outline, visibility: Visibility, edits: Edit[]): boolean {
  if (members === undefined) throw refuse('a message that is no object')
  refuseLookAlikes(members, ENVELOPE_KEYS)
  const result = members.get('result')
  const method = members.get('method')
  if (result !== undefined && method !== undefined) throw refuse('a message with both method and result')
  if (result?.members !== undefined) edits.push(...filterResult(text, result, result.members, visibility))
  return method === undefined || filterNotification(text, readString(text, method), members.get('params'), visibility, edits)
}

type Members = ReadonlyMap<string, Outline>

function filterResult(text: string, result: Outline, members: Members, visibility: Visibility): Edit[] {
  refuseLookAlikes(members, RESULT_KEYS)
  const edits: Edit[] = []
  let isList = false
  for (const [name, { kind, key }] of LISTS) {
    const list = members.get(name)
    if (list?.members !== undefined) throw refuse(`${name} is an object`)
    if (list?.items === undefined) continue
    if (list.items.length > MAX_ITEMS) throw refuse(`a list of more than ${MAX_ITEMS} items`)
    isList = true
    const shows = createShows(kind, visibility)
    edits.push(...removeItems(list.items, (item) => shows(readName(text, item, key))))
  }
  const scope = members.get('cacheScope')
  // What a resource holds is as private, where a server says something about it.
  if (isList || (scope !== undefined && members.has('contents'))) edits.push(...makePrivate(text, result, scope, visibility))
  return edits
}

/** Whether one is shown of many, with a new budget now and then. */
function createShows(kind: ListedKind, visibility: Visibility): (name: string) => boolean {
  let filter: ListFilter | undefined
  let left = 0
  return (name) => {
    if (filter === undefined || left === 0) {
      filter = visibility.createFilter()
      left = ITEMS_OF_FILTER
    }
    left--
    return filter.shows(kind, name)
  }
}

function readName(text: string, { picked }: Outline, key: string): string {
  return readString(text, picked) ?? refuseItem(key)
}

function refuseItem(key: string): never {
  throw refuse(`an item of a list without a readable ${key}`)
}

/**
 * What one principal is shown is not for others: "appropriate for ... filtered list results that vary per user" (2026-07-28,
 * server/utilities/caching, Choosing a Cache Scope). All pages say so: "Servers MUST apply the same `cacheScope` to all response pages".
 */
function makePrivate(text: string, result: Outline, scope: Outline | undefined, { hasCacheScope }: Visibility): Edit[] {
  if (scope === undefined) return hasCacheScope ? [insertMembers(result, '"cacheScope":"private"')] : []
  return text.slice(scope.start, scope.end) === '"private"' ? [] : [replaceAt(scope, '"private"')]
}

/** @returns false for a notification about what is hidden */
function filterNotification(
  text: string,
  method: string | undefined,
  params: Outline | undefined,
  visibility: Visibility,
  edits: Edit[],
): boolean {
  if (method === undefined) throw refuse('a method that is no readable string')
  if (TOLD_OF_RESOURCES.test(method) && method !== UPDATED && method !== ACKNOWLEDGED)
    throw refuse('a method that looks like one that tells of resources')
  if (params?.members !== undefined) refuseLookAlikes(params.members, PARAMS_KEYS)
  if (method === UPDATED) {
    const uri = readString(text, params?.members?.get('uri'))
    return uri !== undefined && visibility.createFilter().shows('resource', uri)
  }
  if (method === ACKNOWLEDGED) edits.push(...filterSubscriptions(text, params?.members?.get('notifications'), visibility))
  return true
}

/** A server says which resources it will tell of (2026-07-28, patterns/subscriptions, Acknowledgment). */
function filterSubscriptions(text: string, subscribed: Outline | undefined, visibility: Visibility): Edit[] {
  if (subscribed === undefined) return []
  if (subscribed.members === undefined) throw refuse('an acknowledgment of no object')
  refuseLookAlikes(subscribed.members, SUBSCRIPTION_KEYS)
  const shows = createShows('resource', visibility)
  const told = subscribed.members.get('resourceSubscriptions')
  if (told !== undefined && told.items === undefined) throw refuse('resourceSubscriptions is no list')
  const uris = told?.items ?? []
  return removeItems(uris, (uri) => shows(readString(text, uri) ?? refuseItem('URI')))
}

/** Undefined for what is no string, or holds half a character: decoders replace it, each in its way. */
function readString(text: string, value: Outline['picked']): string | undefined {
  if (value === undefined || text[value.start] !== '"') return undefined
  const quoted = text.slice(value.start, value.end)
  const read = quoted.includes('\\') ? decode(quoted) : quoted.slice(1, -1)
  return read?.isWellFormed() ? read : undefined
}

function decode(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}

function refuseLookAlikes(members: Members, reserved: ReservedKeys): void {
  for (const key of members.keys()) refuseLookAlike(key, reserved)
}

function refuseLookAlike(key: string, reserved: ReservedKeys): void {
  const exact = findLookAlike(key, reserved)
  if (exact !== undefined) throw refuse(`a key that looks like ${exact}`)
}

function refuse(what: string): ProxyError {
  return new ProxyError('answer_unfilterable', { cause: what })
}
