/**
 * A map that never holds more than `max` entries: the oldest is evicted for a new one. An entry is as old as its last `set`; reading it
 * changes nothing, so that a read costs what it costs in a plain `Map`.
 */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>()
  readonly #max: number
  readonly #onEvict: ((value: Value, key: Key) => void) | undefined
  /**
   * Stands before the oldest entry. A new iterator would step over the places of all that were evicted since the map was last rehashed: thousands
   * in a large one. Dropped when anything else is deleted, since it holds the tables of each rehash until it goes on.
   */
  #oldest: MapIterator<[Key, Value]> | undefined

  /**
   * @param max - entries; with 0 nothing is kept
   * @param onEvict - called for each entry that is evicted, after it has left the map; not for what is overwritten, deleted or cleared
   */
  constructor(max: number, onEvict?: (value: Value, key: Key) => void) {
    this.#max = max
    this.#onEvict = onEvict
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  /** Adds an entry or replaces its value. Either way it is the newest now. */
  set(key: Key, value: Value): void {
    this.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > this.#max) this.#evictOldest()
  }

  /** @returns whether there was such an entry */
  delete(key: Key): boolean {
    const had = this.#entries.delete(key)
    if (had) this.#oldest = undefined
    return had
  }

  clear(): void {
    this.#entries.clear()
    this.#oldest = undefined
  }

  /** The keys, oldest first. Entries may be deleted meanwhile. */
  keys(): IterableIterator<Key> {
    return this.#entries.keys()
  }

  /** The entries, oldest first. Entries may be deleted meanwhile. */
  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]()
  }

  #evictOldest(): void {
    this.#oldest ??= this.#entries.entries()
    const next = this.#oldest.next()
    if (next.done) return
    const [key, value] = next.value
    this.#entries.delete(key)
    this.#onEvict?.(value, key)
  }
}
