import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { EntryTerms, Store } from '../../core/store.ts'
import type { SingleUse } from './single-use.ts'

export interface AdapterOptions {
  readonly store: Store
  readonly encryption: Encryption
  readonly singleUse: SingleUse
  /** Seconds for which a used refresh token may be used again. */
  readonly refreshGraceSeconds: number
  /** Called with the key of a registration before it is written. */
  readonly onRegistration: (key: string) => Promise<void>
  /** Called when a grant may have ended, even if the store's answer was lost. */
  readonly onGrantEnded: () => void
  /** Seconds for which a new registration is kept. */
  readonly unusedClientSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The group of everything that a grant led to. */
export const groupOfGrant = (grantId: string): string => `grant:${grantId}`
/** The group of everything that an account has. */
export const groupOfAccount = (accountId: string): string => `account:${accountId}`

/** The group of everything that users gave a client. */
export const groupOfClient = (clientId: string): string => `client:${clientId}`

/** Names an entry of the store. */
const keyOf = (kind: string, id: string): string => `${kind}:${hashId(id)}`

/** The kind under which sessions are found by their uid. */
const SESSION_UID = 'SessionUid'

/** What oidc-provider remembers, kept in the store. */
export function createAdapter(options: AdapterOptions): AdapterFactory {
  return (kind: string): Adapter => createModelAdapter(kind, options)
}

/** Kinds of what is good once, and can be left over by a request that was not answered. */
const USED_ONCE = new Set(['AuthorizationCode', 'RefreshToken', 'ReplayDetection', 'Interaction', 'Session'])
/** Kinds of what a browser goes on with: it loads the page anew when there was no answer. */
const OF_BROWSERS = new Set(['Interaction', 'Session'])

function createModelAdapter(kind: string, options: AdapterOptions): Adapter {
  const { store, singleUse } = options
  return {
    async upsert(id, payload, seconds) {
      const terms = planTerms(kind, id, payload, seconds, options)
      if (kind === 'ReplayDetection') return markUsed(id, payload, terms, options)
      if (kind === 'Client') await options.onRegistration(hashId(id))
      // A new refresh token that its client never receives is removed.
      if (kind === 'RefreshToken') singleUse.unlessAnswered(keyOf(kind, id), () => store.take(kind, hashId(id)), true)
      await store.put(kind, hashId(id), encryptPayload(kind, hashId(id), payload, options), terms)
      if (kind === 'Session' && payload.uid !== undefined) await store.put(SESSION_UID, hashId(payload.uid), hashId(id), terms)
    },
    async find(id) {
      if (USED_ONCE.has(kind)) await singleUse.settle(keyOf(kind, id))
      const found = await findPayload(kind, hashId(id), options)
      const payload = found && (kind === 'Client' ? found : { ...found, jti: id })
      return kind === 'RefreshToken' && isInGrace(payload, options) ? { ...payload, consumed: undefined } : payload
    },
    consume: (id) => singleUse.whenAnswered(() => consume(kind, id, options)),
    destroy: (id) => (kind === 'RefreshToken' ? endGrantOf(id, options) : destroy(kind, id, options)),
    revokeByGrantId: (grantId) => endGrant(grantId, options),
    // For a look at a session only: what its cookie holds is not known here.
    async findByUid(uid) {
      const key = await store.find(SESSION_UID, hashId(uid))
      return key === undefined ? undefined : findPayload('Session', key, options)
    },
    // Of the device flow, which is off.
    findByUserCode: () => Promise.reject(new Error(`${kind} is not looked up by user code`)),
  }
}

/**
 * The provider looks first and writes then; of several who show the same assertion at the same moment, here or in another process, one
 * is first (RFC 7523 §3, 7).
 */
async function markUsed(id: string, payload: AdapterPayload, terms: EntryTerms, options: AdapterOptions): Promise<void> {
  const { store, singleUse } = options
  // Encrypted with a nonce, so that the value is unique to this request.
  const mark = encryptPayload('ReplayDetection', hashId(id), payload, options)
  singleUse.unlessAnswered(keyOf('ReplayDetection', id), () => store.take('ReplayDetection', hashId(id), mark))
  const isFirst = await store.add('ReplayDetection', hashId(id), mark, terms)
  if (isFirst !== true) throw new errors.InvalidClientAuth('client assertion tokens must only be used once')
}

async function destroy(kind: string, id: string, options: AdapterOptions): Promise<void> {
  const { store, singleUse } = options
  const key = hashId(id)
  const there = OF_BROWSERS.has(kind) ? await store.find(kind, key) : undefined
  const payload = there === undefined ? undefined : decryptPayload(kind, key, there, options)
  if (there !== undefined && payload?.exp !== undefined) {
    const terms = { expiresAt: payload.exp * 1000, groups: listGroups(kind, id, payload) }
    singleUse.unlessAnswered(keyOf(kind, id), () => store.add(kind, key, there, terms))
  }
  await store.take(kind, key)
}

/** With all that it led to, in one step. */
async function endGrant(grantId: string, { store, onGrantEnded }: AdapterOptions): Promise<void> {
  try {
    await store.deleteGroup(groupOfGrant(grantId))
  } finally {
    onGrantEnded()
  }
}

/**
 * A refresh token is destroyed where its grant ends: when it is revoked or used twice. The provider would remove the token first, or at the
 * same time. If the store failed then, the grant would be left, and no repetition could find it.
 */
async function endGrantOf(refreshToken: string, options: AdapterOptions): Promise<void> {
  const payload = await findPayload('RefreshToken', hashId(refreshToken), options)
  if (payload?.grantId !== undefined) await endGrant(payload.grantId, options)
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

/** Kinds of what a user gave a client. */
const OF_CLIENTS = new Set(['Grant', 'AuthorizationCode', 'RefreshToken'])

function listGroups(kind: string, id: string, { grantId, accountId, clientId }: AdapterPayload): string[] {
  const groups: string[] = []
  if (kind === 'Grant') groups.push(groupOfGrant(id))
  else if (grantId !== undefined) groups.push(groupOfGrant(grantId))
  if (accountId !== undefined && kind !== 'Interaction') groups.push(groupOfAccount(accountId))
  if (clientId !== undefined && OF_CLIENTS.has(kind)) groups.push(groupOfClient(clientId))
  return groups
}

/**
 * Payloads hold secrets of clients and users: client secrets, the cookie of a session, a client's state. The id is left out, since for most
 * models it is the secret itself. What is encrypted for one entry opens as no other.
 */
function encryptPayload(kind: string, key: string, payload: AdapterPayload, { encryption }: AdapterOptions): string {
  return encryption.encrypt(`${kind}:${key}`, JSON.stringify({ ...payload, jti: undefined }))
}

/** @returns undefined also for what was not encrypted by us, for this entry */
async function findPayload(kind: string, key: string, options: AdapterOptions): Promise<AdapterPayload | undefined> {
  const encrypted = await options.store.find(kind, key)
  return encrypted === undefined ? undefined : decryptPayload(kind, key, encrypted, options)
}

function decryptPayload(
  kind: string,
  key: string,
  encrypted: string,
  { encryption }: AdapterOptions,
): AdapterPayload | undefined {
  const text = encryption.decrypt(`${kind}:${key}`, encrypted)
  return text === undefined ? undefined : (JSON.parse(text) as AdapterPayload)
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
  const unused = await store.find(kind, key)
  const payload = unused === undefined ? undefined : decryptPayload(kind, key, unused, options)
  if (unused !== undefined && payload !== undefined && payload.consumed === undefined) {
    // Encrypted with a nonce: the value is unique, so that undoing this use undoes no other one.
    const used = encryptPayload(kind, key, { ...payload, consumed: Math.floor(now() / 1000) }, options)
    singleUse.unlessAnswered(keyOf(kind, id), () => store.replace(kind, key, used, unused))
    if ((await store.replace(kind, key, unused, used)) === true) return
  }
  if (kind === 'RefreshToken' && (await isStillInGrace(key, options))) return
  if (payload?.grantId !== undefined) await endGrant(payload.grantId, options)
  throw new errors.InvalidGrant(`${kind} already consumed`)
}

/** Looked up again: another request may have used the token just now. */
async function isStillInGrace(key: string, options: AdapterOptions): Promise<boolean> {
  return isInGrace(await findPayload('RefreshToken', key, options), options)
}
