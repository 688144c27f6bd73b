import type { Clock } from '../../../core/clock.ts'
import { ProxyError, type ReasonOf } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import type { Spare } from '../process/places.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Requests on one process at which another is started. */
const HIGH_LOAD = 32
const MAX_MEMBERS_OF_KEY = 4
/** Each waiting request is woken whenever a process may have become free. */
const MAX_WAITING_OF_KEY = 100
const MAX_WAIT_MS = 60_000

export interface PoolMember {
  readonly channel: Channel
  /** Whether the process has to stay although no request is pending. */
  readonly isHeld?: () => boolean
}

/** Whom a process serves. */
export interface PoolKey {
  /** The same for all that may share a process. */
  readonly id: string
}

/** The memory that a request needs while it waits for a process. */
export interface QueuedRequest {
  readonly memory: MemoryShare
  readonly bytes: number
}

/**
 * Accounts a request while it waits for a process, or for what another request asks of one.
 *
 * @throws ProxyError `upstream_busy`, and what the wait throws
 */
export async function whileQueued<R>({ memory, bytes }: QueuedRequest, wait: () => Promise<R>): Promise<R> {
  if (!memory.take(bytes, PART_FOR_WAITING))
    throw busy('memory_full', 'requests that wait for a child take all memory of this user')
  try {
    return await wait()
  } finally {
    memory.give(bytes)
  }
}

/** Processes by key. Those of one key are interchangeable. */
export class Pool<T extends PoolMember, K extends PoolKey = PoolKey> {
  readonly #clock: Clock
  readonly #start: (key: K) => Promise<T>
  readonly #members = new Map<string, T[]>()
  readonly #starting = new Map<string, Promise<T>>()
  readonly #waiting = new Map<() => void, string>()

  /** @param start - starts a process and prepares it for requests */
  constructor(clock: Clock, start: (key: K) => Promise<T>) {
    this.#clock = clock
    this.#start = start
  }

  /**
   * Uses a process that can take one more request. It is used in the same tick in which it was found free.
   *
   * @param isFree - whether a process can take the request; {@link changed} has to be called when that may have become true
   * @throws ProxyError `upstream_busy`, and that of a start that failed
   */
  async use<R>(key: K, isFree: (member: T) => boolean, queued: QueuedRequest, use: (member: T) => R): Promise<R> {
    const best = this.#findBest(key, isFree)
    if (best) return use(best)
    return whileQueued(queued, () => this.#useNext(key, isFree, use))
  }

  /** Has to be called when a process may have become free. */
  changed(): void {
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Every process that runs. */
  *all(): Generator<T> {
    for (const id of [...this.#members.keys()]) yield* this.#list(id)
  }

  sweep(idleMs: number): void {
    const now = this.#clock.monotonic()
    for (const { channel, isHeld } of this.all()) if (!isHeld?.() && channel.idle(now) > idleMs) channel.end()
  }

  /** Processes without pending requests. */
  spares(): Spare[] {
    const now = this.#clock.monotonic()
    const idle = [...this.all()].filter(({ channel, isHeld }) => channel.load === 0 && !isHeld?.())
    return idle.map(({ channel }) => ({ key: channel.owner.key, idle: channel.idle(now), end: () => channel.end() }))
  }

  #findBest(key: K, isFree: (member: T) => boolean): T | undefined {
    const members = this.#list(key.id)
    const [best] = members.filter(isFree).sort((a, b) => a.channel.load - b.channel.load)
    const isEnough = best === undefined || best.channel.load < HIGH_LOAD
    // The new process is for the next requests. This one is served by what is there.
    if (!isEnough && members.length < MAX_MEMBERS_OF_KEY) this.#startOne(key).catch(() => undefined)
    return best
  }

  async #useNext<R>(key: K, isFree: (member: T) => boolean, use: (member: T) => R): Promise<R> {
    const deadline = this.#clock.monotonic() + MAX_WAIT_MS
    for (;;) {
      if (this.#list(key.id).length < MAX_MEMBERS_OF_KEY) await this.#startOne(key)
      else await this.#awaitChange(key, deadline)
      const best = this.#findBest(key, isFree)
      if (best) return use(best)
    }
  }

  /** The processes of a key that run. Forgets a key that has none. */
  #list(id: string): T[] {
    const members = (this.#members.get(id) ?? []).filter(({ channel }) => !channel.isOver)
    if (members.length > 0) this.#members.set(id, members)
    else this.#members.delete(id)
    return members
  }

  #awaitChange({ id }: K, deadline: number): Promise<void> {
    const ahead = [...this.#waiting.values()].filter((other) => other === id).length
    if (ahead >= MAX_WAITING_OF_KEY) throw busy('processes_limit', `${ahead} requests wait for a child already`)
    const left = deadline - this.#clock.monotonic()
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#clock.after(left, () => {
        this.#waiting.delete(wake)
        reject(busy('processes_limit', 'every child is taken by a request that needs it alone'))
      })
      this.#waiting.set(wake, id)
    })
  }

  #startOne(key: K): Promise<T> {
    const running = this.#starting.get(key.id)
    if (running) return running
    const starting = this.#startFresh(key).finally(() => {
      this.#starting.delete(key.id)
      this.changed()
    })
    this.#starting.set(key.id, starting)
    return starting
  }

  async #startFresh(key: K): Promise<T> {
    const member = await this.#start(key)
    this.#members.set(key.id, [...this.#list(key.id), member])
    return member
  }
}

function busy(reason: ReasonOf<'upstream_busy'>, cause: string): ProxyError {
  return new ProxyError('upstream_busy', { reason, cause, retryAfter: 5 })
}
