import { hash, randomUUID } from 'node:crypto'
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { EntryTerms, Store } from '../core/store.ts'
import type { SingleUse } from './single-use.ts'

export interface AdapterOptions {
  readonly store: Store
  readonly singleUse: SingleUse
  /** Seconds for which a used refresh token may be used again. */
  readonly refreshGraceSeconds: number
  /** Hears of a registration before it is written, by its key. */
  readonly onRegistration: (key: string) => Promise<void>
  /** Seconds for which a new registration is kept. */
  readonly unusedClientSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Under which key a model keeps an id. Most ids are bearer secrets (tokens, codes, cookies), so the store never sees them. */
export function hashId(id: string): string {
  return hash('sha256', id, 'base64url')
}

/** The group of everything that a grant led to. */
export const groupOfGrant = (grantId: string): string => `grant:${grantId}`
/** The group of everything that an account has. */
export const groupOfAccount = (accountId: string): string => `account:${accountId}`

/** Names an entry of the store. */
const keyOf = (kind: string, id: string): string => `${kind}:${hashId(id)}`

/** The kind under which sessions are found by their uid. */
const SESSION_UID = 'SessionUid'

/** What oidc-provider remembers, kept in the store. */
export function createAdapter(options: AdapterOptions): AdapterFactory {
  return (kind: string): Adapter => createModelAdapter(kind, options)
}

/** Kinds of what is good once, and can be left over by a request that was not answered. */
const USED_ONCE = new Set(['AuthorizationCode', 'RefreshToken', 'ReplayDetection'])

function createModelAdapter(kind: string, options: AdapterOptions): Adapter {
  const { store, singleUse } = options
  return {
    async upsert(id, payload, seconds) {
      const terms = planTerms(kind, id, payload, seconds, options)
      if (kind === 'ReplayDetection') return markUsed(id, payload, terms, options)
      if (kind === 'Client') await options.onRegistration(hashId(id))
      // A new one that its client never gets is of no use to anybody.
      if (kind === 'RefreshToken') singleUse.unlessAnswered(keyOf(kind, id), () => store.take(kind, hashId(id)), true)
      await store.put(kind, hashId(id), formatPayload(payload), terms)
      if (kind === 'Session' && payload.uid !== undefined) await store.put(SESSION_UID, hashId(payload.uid), hashId(id), terms)
    },
    async find(id) {
      if (USED_ONCE.has(kind)) await singleUse.settle(keyOf(kind, id))
      const text = await store.find(kind, hashId(id))
      const payload = text === undefined ? undefined : parsePayload(kind, id, text)
      return kind === 'RefreshToken' && isInGrace(payload, options) ? { ...payload, consumed: undefined } : payload
    },
    consume: (id) => singleUse.whenAnswered(() => consume(kind, id, options)),
    destroy: async (id) => void (await store.take(kind, hashId(id))),
    revokeByGrantId: (grantId) => store.deleteGroup(groupOfGrant(grantId)),
    // For a look at a session only: what its cookie holds is not known here.
    async findByUid(uid) {
      const key = await store.find(SESSION_UID, hashId(uid))
      const text = key === undefined ? undefined : await store.find('Session', key)
      return text === undefined ? undefined : (JSON.parse(text) as AdapterPayload)
    },
    // Of the device flow, which is off.
    findByUserCode: () => Promise.reject(new Error(`${kind} is not looked up by user code`)),
  }
}

/**
 * The provider looks first and writes then; of several who show the same assertion at the same moment, here or in another process, one
 * is first (RFC 7523 §3, 7).
 */
async function markUsed(
  id: string,
  payload: AdapterPayload,
  terms: EntryTerms,
  { store, singleUse }: AdapterOptions,
): Promise<void> {
  const mark = formatPayload({ ...payload, usedBy: randomUUID() })
  singleUse.unlessAnswered(keyOf('ReplayDetection', id), () => unmark(store, 'ReplayDetection', hashId(id), mark))
  const isFirst = await store.add('ReplayDetection', hashId(id), mark, terms)
  if (isFirst !== true) throw new errors.InvalidClientAuth('client assertion tokens must only be used once')
}

/** Removes a mark that something was used, unless it is another's. */
export async function unmark(store: Store, kind: string, key: string, mark: string): Promise<void> {
  if ((await store.find(kind, key)) === mark) await store.take(kind, key)
}

function planTerms(
  kind: string,
  id: string,
  payload: AdapterPayload,
  seconds: number | undefined,
  options: AdapterOptions,
): EntryTerms {
  const lifetime = kind === 'Client' ? options.unusedClientSeconds : seconds
  return {
    expiresAt: lifetime === undefined ? undefined : options.now() + lifetime * 1000,
    groups: listGroups(kind, id, payload),
  }
}

function listGroups(kind: string, id: string, { grantId, accountId }: AdapterPayload): string[] {
  const groups: string[] = []
  if (kind === 'Grant') groups.push(groupOfGrant(id))
  else if (grantId !== undefined) groups.push(groupOfGrant(grantId))
  if (accountId !== undefined && kind !== 'Interaction') groups.push(groupOfAccount(accountId))
  return groups
}

/** The id is left out: for most models it is the secret itself. */
function formatPayload(payload: AdapterPayload): string {
  return JSON.stringify({ ...payload, jti: undefined })
}

function parsePayload(kind: string, id: string, text: string): AdapterPayload {
  const payload = JSON.parse(text) as AdapterPayload
  return kind === 'Client' ? payload : { ...payload, jti: id }
}

function isInGrace(payload: AdapterPayload | undefined, { now, refreshGraceSeconds }: AdapterOptions): boolean {
  return typeof payload?.consumed === 'number' && now() / 1000 < payload.consumed + refreshGraceSeconds
}

/**
 * Marks a code or token as used. Of several who use one at the same moment, one is first; the others are told what everybody is who
 * comes later, and what it led to ends (RFC 6749 §4.1.2, RFC 9700 §4.14.2) – but for a refresh token within its grace.
 */
async function consume(kind: string, id: string, options: AdapterOptions): Promise<void> {
  const { store, singleUse, now } = options
  const key = hashId(id)
  const text = await store.find(kind, key)
  const payload = text === undefined ? undefined : (JSON.parse(text) as AdapterPayload)
  if (text !== undefined && payload?.consumed === undefined) {
    // Nobody else writes the same, so that undoing it undoes no other use.
    const used = JSON.stringify({ ...payload, consumed: Math.floor(now() / 1000), usedBy: randomUUID() })
    singleUse.unlessAnswered(keyOf(kind, id), () => store.replace(kind, key, used, text))
    if ((await store.replace(kind, key, text, used)) === true) return
  }
  if (kind === 'RefreshToken' && (await isStillInGrace(key, options))) return
  if (payload?.grantId !== undefined) await store.deleteGroup(groupOfGrant(payload.grantId))
  throw new errors.InvalidGrant(`${kind} already consumed`)
}

/** Asked anew: whoever was first may have been so just now. */
async function isStillInGrace(key: string, options: AdapterOptions): Promise<boolean> {
  const text = await options.store.find('RefreshToken', key)
  return text !== undefined && isInGrace(JSON.parse(text) as AdapterPayload, options)
}
