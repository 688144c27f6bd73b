import type { Clock } from '../core/clock.ts'
import type { Denial, DenialSource, DenyList } from '../core/deny-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { Store, StoredEntry } from '../core/store.ts'
import { watchEntries } from '../core/watched-entries.ts'
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

/** Denials at a time. What is read goes a little beyond, since processes that share the store count separately. */
const MAX_DENIALS = 20_000
const MAX_READ = MAX_DENIALS + 1000
/** Issuers report each session that ends. However many there are, operators find room for theirs. */
const ROOM: Readonly<Record<DenialSource, number>> = { operator: MAX_DENIALS, logout: 15_000 }

/**
 * Keeps the list of the store at hand, so that no call has to ask for it. While the store cannot be reached, what was read last stays in
 * force.
 *
 * @returns a list that was tried to be read once
 */
export async function openDenyList(options: DenyListOptions): Promise<DenyList> {
  const { store, clock, encryption } = options
  const state: State = { ...options, index: createDenialIndex(clock), known: new Map() }
  const watched = await watchEntries({
    ...{ store, clock, kind: DENIAL, most: MAX_READ },
    describeOutage,
    onRead: (entries) => take(entries, state),
    onIssue: options.onIssue,
  })
  return {
    isLoaded: watched.isLoaded,
    find: (principal) => state.index.find(principal),
    list: () => state.index.list(),
    async add(denials, source) {
      if (!(await hasRoom(store, denials, ROOM[source]))) throw new ProxyError('deny_list_full')
      for (const denial of denials) {
        const id = findEntryId(denial)
        const lasting = outlast(denial, state.known.get(id)?.denial)
        await store.put(DENIAL, id, writeEntry(lasting, encryption), { expiresAt: lasting.expiresAt })
      }
      await watched.announce()
    },
    async lift(kind, issuer, value) {
      const there = await store.take(DENIAL, findEntryId({ kind, issuer, value, issuedBefore: undefined, expiresAt: undefined }))
      await watched.announce()
      return there !== undefined
    },
    close: watched.close,
  }
}

interface State extends DenyListOptions {
  readonly index: DenialIndex
  /** What was read, by id: most of it is the same the next time, and is not decrypted again. */
  known: ReadonlyMap<string, ReadEntry>
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

function describeOutage(isLoaded: boolean): string {
  const inForce = isLoaded ? 'what was read last stays in force' : 'no token is accepted until then'
  return `deny list: the store cannot be read, ${inForce}`
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
