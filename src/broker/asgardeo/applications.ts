import { randomBytes } from 'node:crypto'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection, type EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { RegistrationPlan } from '../../core/plan/broker-plan.ts'
import type { AsgardeoPlan } from '../../core/plan/identity-provider-plan.ts'
import type { Store } from '../../core/store.ts'
import { isAsgardeoError } from '../../identity/asgardeo-error.ts'
import type { AsgardeoClient, AsgardeoRegistrar } from '../../identity/asgardeo-registrar.ts'
import type { AskingClient } from '../identity-provider/signed-in-user.ts'
import { type BackOff, createBackOff } from '../limits/back-off.ts'
import { createRateLimit } from '../limits/rate-limit.ts'
import { withStoreLock } from '../storage/store-lock.ts'

/** The applications at Asgardeo that users are signed in through, kept in the store. */
export interface AsgardeoApplications {
  /**
   * The application for an MCP client, made where there is none yet.
   *
   * @param asking - the MCP client; undefined for the application that all of them share
   * @throws Error that says why there is none
   */
  obtain(asking?: AskingClient): Promise<AsgardeoClient>
  /** The application that was made for an MCP client before. */
  find(clientId?: string): Promise<AsgardeoClient | undefined>
  /** Forgets an application that Asgardeo does not know any more. */
  forget(clientId: string | undefined, client: AsgardeoClient): Promise<void>
  /** Notes that a user signed in through an application. */
  noteUse(clientId?: string): Promise<void>
  /** Deletes unused applications of MCP clients. */
  sweep(): Promise<void>
  readonly backOff: BackOff
}

export interface AsgardeoApplicationsOptions {
  readonly plan: AsgardeoPlan
  readonly registration: RegistrationPlan
  /** Our own, by which applications of different proxies are told apart. */
  readonly redirectUri: string
  readonly registrar: AsgardeoRegistrar
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

/** An application in the store. Times are milliseconds since the epoch. */
interface Kept {
  readonly key: string
  readonly client: AsgardeoClient
  readonly madeAt: number
  /** Undefined before the first sign-in through it. */
  readonly usedAt: number | undefined
}

interface Session extends AsgardeoApplicationsOptions {
  readonly collection: EncryptedCollection<Kept>
  readonly backOff: BackOff
  readonly limit: ReturnType<typeof createRateLimit>
  readonly seen: BoundedMap<string, number>
}

const KIND = 'AsgardeoApplication'
const LOCK_KIND = 'AsgardeoApplicationLock'
/** Longer than all requests that making an application can take. */
const LOCK_EXPIRES_MS = 180_000
/** Applications that were just seen to exist. One that is evicted is looked for once more. */
const MAX_SEEN = 1000
/** A browser waits for no longer. */
const LOCK_WAIT_MS = 30_000
/** How long a looked-up application is assumed to exist: it may be deleted at Asgardeo at any time. */
const LOOK_AGAIN_MS = 60_000
const USE_MS = 86_400_000
/** A sign-in takes no longer than this. */
const SIGN_IN_MS = 15 * 60_000

export function createAsgardeoApplications(options: AsgardeoApplicationsOptions): AsgardeoApplications {
  const { store, encryption, clock } = options
  const session: Session = {
    ...options,
    collection: createEncryptedCollection<Kept>(store, encryption, KIND, hashId),
    backOff: createBackOff(clock),
    limit: createRateLimit(options.registration.perMinute, clock),
    seen: new BoundedMap(MAX_SEEN),
  }
  const running = new Map<string, Promise<AsgardeoClient>>()
  const keyOf = (clientId: string | undefined) => formatKey(clientId, options)
  return {
    backOff: session.backOff,
    obtain(asking) {
      const key = keyOf(asking?.id)
      const promise = running.get(key) ?? obtain(key, asking, session).finally(() => running.delete(key))
      running.set(key, promise)
      return promise
    },
    find: async (clientId) => (await session.collection.find(keyOf(clientId)))?.client,
    async forget(clientId, { clientSecret }) {
      const kept = await session.collection.find(keyOf(clientId))
      if (kept?.client.clientSecret === clientSecret) await session.collection.take(kept.key)
    },
    noteUse: (clientId) => noteUse(keyOf(clientId), session),
    sweep: () => sweep(session),
  }
}

/** Another organization, name or public URL is another application. */
function formatKey(clientId: string | undefined, options: AsgardeoApplicationsOptions): string {
  return JSON.stringify([...listPlace(options), clientId ?? null])
}

function listPlace({ plan, redirectUri }: AsgardeoApplicationsOptions): string[] {
  return [plan.base, plan.applicationName, redirectUri, plan.registration]
}

async function obtain(key: string, asking: AskingClient | undefined, session: Session): Promise<AsgardeoClient> {
  const kept = await findCurrent(key, session)
  if (kept !== undefined) return kept
  // Proxies with another public URL may share the application, and so the lock.
  const locked = asking === undefined ? JSON.stringify([session.plan.base, session.plan.applicationName]) : key
  const { store, clock } = session
  const lock = { store, clock, kind: LOCK_KIND, expiresMs: LOCK_EXPIRES_MS, waitMs: LOCK_WAIT_MS }
  return withStoreLock(hashId(locked), () => make(key, asking, session), lock)
}

async function findCurrent(key: string, { collection, seen, clock, registrar }: Session): Promise<AsgardeoClient | undefined> {
  const kept = await collection.find(key)
  if (kept === undefined || clock.monotonic() < (seen.get(key) ?? Number.NEGATIVE_INFINITY) + LOOK_AGAIN_MS) return kept?.client
  if (await registrar.isThere(kept.client)) {
    seen.set(key, clock.monotonic())
    return kept.client
  }
  await collection.take(key)
  return undefined
}

async function make(key: string, asking: AskingClient | undefined, session: Session): Promise<AsgardeoClient> {
  const { collection, plan, registrar, backOff, clock } = session
  const kept = await collection.find(key)
  if (kept !== undefined) return kept.client
  if (asking !== undefined) await makeRoom(asking, session)
  const client = await backOff.guard(
    () => (asking === undefined ? registrar.findOrCreate(plan.applicationName) : registrar.register(formatName(asking, plan))),
    // What is wrong with one client says nothing about the others.
    (error) => asking === undefined || isAsgardeoError(error, 'credentials', 'permission', 'unavailable'),
  )
  try {
    await collection.put(key, { key, client, madeAt: clock.wall(), usedAt: undefined })
  } catch (error) {
    // The shared application is found again by its name; this one would be orphaned.
    if (asking !== undefined) await registrar.remove(client)
    throw error
  }
  session.seen.set(key, clock.monotonic())
  return client
}

/** Unique at Asgardeo, and made of characters that names may have there, whatever the client calls itself. */
export function formatName({ name }: AskingClient, { applicationName }: AsgardeoPlan): string {
  const word = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 40)
    .replace(/(?<!-)-+$/, '')
  return `${applicationName}_${word === '' ? 'client' : word}_${randomBytes(6).toString('hex')}`
}

/** Any client can cause an application to be created, so their rate and number are limited. */
async function makeRoom({ address }: AskingClient, session: Session): Promise<void> {
  const { limit, plan, clock } = session
  if (limit.count(address) !== undefined) throw new Error('too many applications were requested within a minute')
  const kept = await listOwn(session)
  if (kept.length < plan.mostApplications) return
  const unused = kept.filter(({ usedAt, madeAt }) => usedAt === undefined && madeAt + SIGN_IN_MS < clock.wall())
  const [oldest] = unused.sort((one, other) => one.madeAt - other.madeAt)
  if (oldest === undefined)
    throw new Error(`there are ${kept.length} applications already (\`identity_provider.most_applications\`)`)
  await removeOne(oldest, session)
}

async function listOwn(session: Session): Promise<Kept[]> {
  const place = JSON.stringify(listPlace(session))
  const kept = await session.collection.list(session.plan.mostApplications * 2)
  return kept.filter(({ key }) => JSON.stringify((JSON.parse(key) as unknown[]).slice(0, -1)) === place)
}

async function noteUse(key: string, { collection, clock }: Session): Promise<void> {
  const kept = await collection.find(key)
  if (kept === undefined || clock.wall() < (kept.usedAt ?? 0) + USE_MS) return
  await collection.put(key, { ...kept, usedAt: clock.wall() })
}

async function sweep(session: Session): Promise<void> {
  const { plan, registration, clock, onIssue } = session
  if (plan.registration === 'application') return
  const isOver = ({ usedAt, madeAt }: Kept) =>
    (usedAt === undefined ? madeAt + registration.unusedSeconds * 1000 : usedAt + registration.idleSeconds * 1000) < clock.wall()
  for (const kept of (await listOwn(session)).filter(isOver)) {
    await removeOne(kept, session).catch((error: Error) =>
      onIssue(`an unused application at Asgardeo could not be deleted: ${error.message}`),
    )
  }
}

/** Of several processes one does it; what could not be deleted is still known the next time. */
async function removeOne(kept: Kept, { collection, registrar }: Session): Promise<void> {
  if ((await collection.take(kept.key)) === undefined) return
  try {
    await registrar.remove(kept.client)
  } catch (error) {
    await collection.put(kept.key, kept)
    throw error
  }
}
