import { randomUUID } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Store, StoredEntry } from './store.ts'

export interface WatchOptions {
  readonly store: Store
  readonly clock: Clock
  /** The kind of the entries. */
  readonly kind: string
  /** Entries that are read at most. */
  readonly most: number
  /** What the entries are, and what it means that they cannot be read, for the log. */
  readonly describeOutage: (isLoaded: boolean) => string
  /** Called with all entries when they were read. */
  readonly onRead: (entries: readonly StoredEntry[]) => void
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
}

/** All entries of a kind at hand, so that no request has to ask the store for one. */
export interface WatchedEntries {
  /** Whether they have been read once. */
  isLoaded(): boolean
  /** Milliseconds since the store was last asked and said what there is; infinity before the first time. */
  age(): number
  /** Tells all processes of a change, this one at once. @throws what the store throws */
  announce(): Promise<void>
  close(): void
}

/** How often each process asks whether there was a change. */
const POLL_MS = 2000
/** So old may what was read become without a change: a process may have ended between its two writes. */
const MAX_AGE_MS = 60_000
/** Longest time between two reports of one outage. */
const REPORT_MS = 60_000

interface State extends WatchOptions {
  /** Monotonic milliseconds; undefined before the first time. */
  readonly times: { readAt?: number; askedAt?: number; reportedAt?: number }
  /** The mark that stood when the entries were read. */
  seen?: string | undefined
  reading: Promise<void> | undefined
}

/**
 * Reads the entries, and again whenever a process has announced a change. A mark changes with them, so that what is asked every two seconds
 * is one small question.
 *
 * @returns entries that were tried to be read once
 */
export async function watchEntries(options: WatchOptions): Promise<WatchedEntries> {
  const { store, clock, kind } = options
  const state: State = { ...options, times: {}, reading: undefined }
  const stopPolling = clock.every(POLL_MS, () => void poll(state))
  await poll(state)
  return {
    isLoaded: () => state.times.readAt !== undefined,
    age: () => clock.monotonic() - (state.times.askedAt ?? Number.NEGATIVE_INFINITY),
    async announce() {
      await store.put(markOf(kind), MARK, randomUUID())
      await state.reading
      await read(state)
    },
    close: stopPolling,
  }
}

const MARK = 'mark'
const markOf = (kind: string): string => `${kind}Mark`

/** Never fails: an outage is reported, and what was read stays as it is. */
function poll(state: State): Promise<void> {
  state.reading ??= read(state)
    .catch((error: Error) => report(error, state))
    .finally(() => {
      state.reading = undefined
    })
  return state.reading
}

function report({ message, cause }: Error, { times, clock, describeOutage, onIssue }: State): void {
  if (times.reportedAt !== undefined && clock.monotonic() - times.reportedAt < REPORT_MS) return
  times.reportedAt = clock.monotonic()
  onIssue(`${describeOutage(times.readAt !== undefined)}: ${cause instanceof Error ? cause.message : message}`)
}

/** The mark is read first: what changes meanwhile is read next time. */
async function read(state: State): Promise<void> {
  const { store, clock, kind, times, most, onRead } = state
  const askedAt = clock.monotonic()
  const mark = await store.find(markOf(kind), MARK)
  const isRecent = times.readAt !== undefined && clock.monotonic() - times.readAt < MAX_AGE_MS
  if (!isRecent || mark !== state.seen) {
    onRead(await store.list(kind, most))
    state.seen = mark
    times.readAt = clock.monotonic()
  }
  // What changed while the store took its time to answer may not be in it.
  times.askedAt = askedAt
}
