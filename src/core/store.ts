/** What an entry has besides its value. */
export interface EntryTerms {
  /** Milliseconds since the epoch after which the entry is gone; undefined for never. */
  readonly expiresAt?: number | undefined
  /** Groups that the entry can be deleted by, for example everything of one grant. */
  readonly groups?: readonly string[] | undefined
}

/** An entry of a kind, as {@link Store.list} gives it. */
export interface StoredEntry {
  readonly id: string
  readonly value: string
}

/**
 * Keeps values under a kind and an id until they expire. An expired entry is never seen again, and nothing is left of it soon after.
 * Every operation is atomic, also between processes that share the store.
 */
export interface Store {
  /** Whether it can be asked now, as far as that is known without asking. */
  isReady(): boolean
  find(kind: string, id: string): Promise<string | undefined>
  /** Writes an entry in the place of whatever was there. */
  put(kind: string, id: string, value: string, terms?: EntryTerms): Promise<void>
  /** Writes an entry unless there is one. Returns whether it was written. */
  add(kind: string, id: string, value: string, terms?: EntryTerms): Promise<boolean>
  /** Replaces the value of an entry if it still is `expected`; what else it has stays. Returns whether it was replaced. */
  replace(kind: string, id: string, expected: string, value: string): Promise<boolean>
  /**
   * Removes an entry and returns its value; of several who take the same entry, one gets it.
   *
   * @param expected - an entry with another value stays, and nothing is returned
   */
  take(kind: string, id: string, expected?: string): Promise<string | undefined>
  /** Removes every entry of a group. */
  deleteGroup(group: string): Promise<void>
  /** How many entries of a kind there are. */
  count(kind: string): Promise<number>
  /** At most `most` entries of a kind: those that expire first, and last those that never do. */
  list(kind: string, most: number): Promise<readonly StoredEntry[]>
  close(): Promise<void>
}
