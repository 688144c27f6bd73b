import type { Clock } from '../../../core/clock.ts'
import { ProxyError, type ReasonOf } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import type { Spare } from '../process/places.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Requests on one process at which another is started. */
const HIGH_LOAD = 32
const MAX_MEMBERS_OF_KEY = 4
/** Each of them is woken whenever a process of its key may have become free. */
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
  /** Wakes the requests that wait for a process of a key, the oldest first. */
  readonly #waiting = new Map<string, Set<() => void>>()

  /** @param start - starts a process and prepares it for requests */
  constructor(clock: Clock, start: (key: K) => Promise<T>) {
    this.#clock = clock
    this.#start = start
  }

  /**
   * Uses a process that can take one more request. It is used in the same tick in which it was found free.
   *
   * @param isFree - whether a process can take the request. That may become true when a process has one request less, and at no other time
   * @throws ProxyError `upstream_busy`, and that of a start that failed
   */
  async use<R>(key: K, isFree: (member: T) => boolean, queued: QueuedRequest, use: (member: T) => R): Promise<R> {
    const best = this.#findBest(key, isFree)
    if (best) return use(best)
    return whileQueued(queued, () => this.#useNext(key, isFree, use))
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
      const running = this.#list(key.id).length
      if (running === 0) await this.#startOne(key)
      else if (running < MAX_MEMBERS_OF_KEY) await this.#startOrAwaitChange(key)
      else await this.#awaitFree(key, deadline)
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

  /** A process that is slow to start must not keep a request from one that becomes free in the meantime. */
  async #startOrAwaitChange(key: K): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#listen(key.id, resolve)
    await Promise.race([this.#startOne(key), promise]).finally(() => this.#forget(key.id, resolve))
  }

  #awaitFree({ id }: K, deadline: number): Promise<void> {
    const ahead = this.#waiting.get(id)?.size ?? 0
    if (ahead >= MAX_WAITING_OF_KEY) throw busy('processes_limit', `${ahead} requests wait for a child already`)
    const left = deadline - this.#clock.monotonic()
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#clock.after(left, () => {
        this.#forget(id, wake)
        reject(busy('processes_limit', 'every child is taken by a request that needs it alone'))
      })
      this.#listen(id, wake)
    })
  }

  #listen(id: string, wake: () => void): void {
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(wake))
  }

  #forget(id: string, wake: () => void): void {
    const waiting = this.#waiting.get(id)
    if (waiting?.delete(wake) && waiting.size === 0) this.#waiting.delete(id)
  }

  /** A process of the key may have become free. */
  #wake(id: string): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    for (const wake of waiting ?? []) wake()
  }

  #startOne(key: K): Promise<T> {
    const running = this.#starting.get(key.id)
    if (running) return running
    const starting = this.#startFresh(key).finally(() => {
      this.#starting.delete(key.id)
      this.#wake(key.id)
    })
    this.#starting.set(key.id, starting)
    return starting
  }

  async #startFresh(key: K): Promise<T> {
    const member = await this.#start(key)
    member.channel.onRelief(() => this.#wake(key.id))
    this.#members.set(key.id, [...this.#list(key.id), member])
    return member
  }
}

function busy(reason: ReasonOf<'upstream_busy'>, cause: string): ProxyError {
  return new ProxyError('upstream_busy', { reason, cause, retryAfter: 5 })
}
