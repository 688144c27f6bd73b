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

/** A request that waits for a process of its key. */
interface Waiter {
  /** @param mayStart - whether another process may be started for it when none is free */
  wake(mayStart: boolean): void
  fail(error: unknown): void
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
  /** The requests that wait for a process of a key, the oldest first. */
  readonly #waiting = new Map<string, Set<Waiter>>()

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
    if (!isEnough && members.length < MAX_MEMBERS_OF_KEY) void this.#startOne(key)
    return best
  }

  async #useNext<R>(key: K, isFree: (member: T) => boolean, use: (member: T) => R): Promise<R> {
    const deadline = this.#clock.monotonic() + MAX_WAIT_MS
    for (let mayStart = true; ; ) {
      mayStart = await this.#awaitChange(key, deadline, mayStart)
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

  /**
   * Waits until a process may be free. One that is slow to start must not keep a request from one that becomes free in the meantime.
   *
   * @returns whether another may be started if none is free
   */
  async #awaitChange(key: K, deadline: number, mayStart: boolean): Promise<boolean> {
    const running = this.#list(key.id).length
    if (running === 0) return this.#startOne(key).then(() => true)
    const ahead = this.#waiting.get(key.id)?.size ?? 0
    if (ahead >= MAX_WAITING_OF_KEY) throw busy('processes_limit', `${ahead} requests wait for a child already`)
    if (mayStart && running < MAX_MEMBERS_OF_KEY) void this.#startOne(key)
    return this.#awaitWake(key.id, deadline)
  }

  #awaitWake(id: string, deadline: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const waiter: Waiter = { wake: resolve, fail: reject }
    const cancel = this.#clock.after(Math.max(0, deadline - this.#clock.monotonic()), () => {
      // A start that is under way ends the wait.
      if (!this.#starting.has(id)) reject(busy('processes_limit', 'every child is taken by a request that needs it alone'))
    })
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(waiter))
    return promise.finally(() => {
      cancel()
      this.#forget(id, waiter)
    })
  }

  #forget(id: string, waiter: Waiter): void {
    const waiting = this.#waiting.get(id)
    if (waiting?.delete(waiter) && waiting.size === 0) this.#waiting.delete(id)
  }

  /** A process of the key may have become free. */
  #wake(id: string, mayStart = true): void {
    for (const waiter of this.#takeWaiting(id)) waiter.wake(mayStart)
  }

  #takeWaiting(id: string): Iterable<Waiter> {
    const waiting = this.#waiting.get(id) ?? []
    this.#waiting.delete(id)
    return waiting
  }

  /**
   * Starts a process, unless one is starting. The promise may be ignored, and must be by what is repeated: whatever waits for it is kept in
   * memory until a slow start has ended. So waiting requests are told.
   */
  #startOne(key: K): Promise<T> {
    const running = this.#starting.get(key.id)
    if (running) return running
    const starting = this.#startFresh(key)
    this.#starting.set(key.id, starting)
    starting.then(
      () => this.#endStart(key.id),
      (error: unknown) => this.#endStart(key.id, error),
    )
    return starting
  }

  /** Without a place for another process, requests wait for those that run. They must not start one at once again: that would never end. */
  #endStart(id: string, error?: unknown): void {
    this.#starting.delete(id)
    const isRefused = error instanceof ProxyError && error.code === 'upstream_busy'
    if (error === undefined || isRefused) return this.#wake(id, !isRefused)
    for (const waiter of this.#takeWaiting(id)) waiter.fail(error)
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
