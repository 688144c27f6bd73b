import { randomUUID } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Denial, DenialSource, DenyList } from '../core/deny-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { Store, StoredEntry } from '../core/store.ts'
import { DENIAL, findEntryId, readEntry, writeEntry } from './denial-entry.ts'
import { createDenialIndex, type DenialIndex } from './denial-index.ts'

export interface DenyListOptions {
  readonly store: Store
  /** Undefined where no keys are configured. */
  readonly encryption: Encryption | undefined
  readonly clock: Clock
  /** Called when what is denied has changed, here or in another process. */
  readonly onChange: () => void
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
}

/** How often each process asks whether the list has changed. */
const POLL_MS = 2000
/** So old may what was read become without a change: a process may have ended between its two writes. */
const MOST_AGE_MS = 60_000
/** Denials at a time. What is read goes a little beyond, since processes that share the store count separately. */
const MOST_DENIALS = 20_000
const MOST_READ = MOST_DENIALS + 1000
/** Issuers report each session that ends. However many there are, operators find room for theirs. */
const ROOM: Readonly<Record<DenialSource, number>> = { operator: MOST_DENIALS, logout: 15_000 }

/** Where the mark is that changes with the list: one small question instead of the whole list. */
const MARK = { kind: 'DenialMark', id: 'mark' }

/** Longest time between two reports of one outage. */
const REPORT_MS = 60_000

/**
 * Keeps the list of the store at hand, so that no call has to ask for it. While the store cannot be reached, what was read last stays in
 * force.
 *
 * @returns a list that was tried to be read once
 */
export async function openDenyList(options: DenyListOptions): Promise<DenyList> {
  const { store, clock, encryption } = options
  const state: State = { ...options, index: createDenialIndex(clock), known: new Map(), times: {}, reading: undefined }
  const stopPolling = clock.every(POLL_MS, () => void poll(state))
  await poll(state)
  return {
    isLoaded: () => state.times.readAt !== undefined,
    find: (principal) => state.index.find(principal),
    list: () => state.index.list(),
    async add(denials, source) {
      if (!(await hasRoom(store, denials, ROOM[source]))) throw new ProxyError('deny_list_full')
      for (const denial of denials) {
        const id = findEntryId(denial)
        const lasting = outlast(denial, state.known.get(id)?.denial)
        await store.put(DENIAL, id, writeEntry(lasting, encryption), { expiresAt: lasting.expiresAt })
      }
      await announce(state)
    },
    async lift(kind, issuer, value) {
      const there = await store.take(DENIAL, findEntryId({ kind, issuer, value, issuedBefore: undefined, expiresAt: undefined }))
      await announce(state)
      return there !== undefined
    },
    close: stopPolling,
  }
}

interface State extends DenyListOptions {
  readonly index: DenialIndex
  /** What was read, by id: most of it is the same the next time, and is not decrypted again. */
  known: ReadonlyMap<string, ReadEntry>
  readonly times: {
    /** Monotonic milliseconds; undefined before the first time. */
    readAt?: number
    reportedAt?: number
  }
  /** The mark that stood when the list was read. */
  seen?: string | undefined
  reading: Promise<void> | undefined
}

interface ReadEntry {
  readonly stored: string
  /** Undefined where it cannot be read. */
  readonly denial: Denial | undefined
}

/** What is there already takes no more room. */
async function hasRoom(store: Store, denials: readonly Denial[], most: number): Promise<boolean> {
  const ids = new Set(denials.map(findEntryId))
  const count = await store.count(DENIAL)
  if (count + ids.size <= most) return true
  const there = await Promise.all([...ids].map((id) => store.find(DENIAL, id)))
  const added = there.filter((value) => value === undefined).length
  return added === 0 || count + added <= most
}

/** A denial that is repeated for a shorter time, or for fewer of the old tokens, does not end sooner or refuse less. */
function outlast(denial: Denial, before: Denial | undefined): Denial {
  if (before === undefined) return denial
  const isLonger = (before.expiresAt ?? Number.POSITIVE_INFINITY) > (denial.expiresAt ?? Number.POSITIVE_INFINITY)
  const isWider = (before.issuedBefore ?? 0) > (denial.issuedBefore ?? 0)
  return {
    ...denial,
    issuedBefore: isWider ? before.issuedBefore : denial.issuedBefore,
    expiresAt: isLonger ? before.expiresAt : denial.expiresAt,
  }
}

/** Tells all processes of a change, this one at once. */
async function announce(state: State): Promise<void> {
  await state.store.put(MARK.kind, MARK.id, randomUUID())
  await state.reading
  await read(state)
}

/** Never fails: an outage is reported, and the list stays as it is. */
function poll(state: State): Promise<void> {
  state.reading ??= read(state)
    .catch((error: Error) => report(error, state))
    .finally(() => {
      state.reading = undefined
    })
  return state.reading
}

function report({ message, cause }: Error, { times, clock, onIssue }: State): void {
  if (times.reportedAt !== undefined && clock.monotonic() - times.reportedAt < REPORT_MS) return
  times.reportedAt = clock.monotonic()
  const inForce = times.readAt === undefined ? 'no token is accepted until then' : 'what was read last stays in force'
  onIssue(`deny list: the store cannot be read, ${inForce}: ${cause instanceof Error ? cause.message : message}`)
}

/** The mark is read first: what changes meanwhile is read next time. */
async function read(state: State): Promise<void> {
  const { store, clock, times } = state
  const mark = await store.find(MARK.kind, MARK.id)
  const isRecent = times.readAt !== undefined && clock.monotonic() - times.readAt < MOST_AGE_MS
  if (isRecent && mark === state.seen) return
  take(await store.list(DENIAL, MOST_READ), state)
  state.seen = mark
  times.readAt = clock.monotonic()
}

function take(entries: readonly StoredEntry[], state: State): void {
  const { encryption, known, index, onIssue, onChange } = state
  const isSame = ({ id, value }: StoredEntry) => known.get(id)?.stored === value
  if (entries.length === known.size && entries.every(isSame)) return
  const next = entries.map((entry): [string, ReadEntry] => {
    const { id, value: stored } = entry
    return [id, (isSame(entry) && known.get(id)) || { stored, denial: readEntry(entry, encryption) }]
  })
  state.known = new Map(next)
  const unreadable = new Set(next.filter(([, { denial }]) => denial === undefined).map(([id]) => id))
  if (unreadable.size > 0)
    onIssue(
      `deny list: ${unreadable.size} entries cannot be read with the configured encryption_keys; all tokens of whom they are about are refused`,
    )
  index.replace(
    next.flatMap(([, { denial }]) => denial ?? []),
    unreadable,
  )
  onChange()
}
