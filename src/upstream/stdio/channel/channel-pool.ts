import { ProxyError } from '../../../core/errors.ts'
import type { Spare } from '../process/places.ts'
import { type MemoryShare, partOfWaiting } from '../wire/held-memory.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Requests on one child at which another one is started beside it. */
const highLoad = 32
/** Most children for one key. */
const mostForKey = 4

/** Requests of one key that wait at a time: each is woken whenever a child may have become free. */
const mostWaiting = 100
/** Milliseconds for which a request waits for a child that can take it. */
const longestWait = 60_000

export interface PoolMember {
  readonly channel: Channel
  /** Whether it must go on though nothing is asked of it. */
  readonly isHeld?: () => boolean
}

/** Whom children serve. */
export interface PoolKey {
  /** The same for those who may share a child. */
  readonly id: string
}

/** What a request holds while it waits for a child. */
export interface QueuedRequest {
  readonly memory: MemoryShare
  readonly bytes: number
}

/** Children by whom they serve: those of one key are as good as each other. */
export class Pool<T extends PoolMember, K extends PoolKey = PoolKey> {
  readonly #start: (key: K) => Promise<T>
  readonly #members = new Map<string, T[]>()
  readonly #starting = new Map<string, Promise<T>>()
  readonly #waiting = new Map<() => void, string>()

  /** @param start - starts a child and makes it ready */
  constructor(start: (key: K) => Promise<T>) {
    this.#start = start
  }

  /**
   * Uses a child that can take one more request. Nothing comes between finding it free and using it.
   *
   * @param isFree - which ones come into question; {@link changed} tells when that may have become true of another
   * @throws ProxyError of starting one; `upstream_busy`
   */
  async use<R>(key: K, isFree: (member: T) => boolean, queued: QueuedRequest, use: (member: T) => R): Promise<R> {
    const best = this.#findBest(key, isFree)
    if (best) return use(best)
    if (!queued.memory.take(queued.bytes, partOfWaiting))
      throw busy('requests that wait for a child take all memory of this user')
    try {
      return await this.#useNext(key, isFree, use)
    } finally {
      queued.memory.give(queued.bytes)
    }
  }

  /** A child may have become free. */
  changed(): void {
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Every child that runs. */
  *all(): Generator<T> {
    for (const id of [...this.#members.keys()]) yield* this.#list(id)
  }

  sweep(idleMilliseconds: number): void {
    const now = performance.now()
    for (const { channel, isHeld } of this.all()) if (!isHeld?.() && channel.idle(now) > idleMilliseconds) channel.end()
  }

  /** Children of which nothing is asked. */
  spares(): Spare[] {
    const now = performance.now()
    const idle = [...this.all()].filter(({ channel, isHeld }) => channel.load === 0 && !isHeld?.())
    return idle.map(({ channel }) => ({ key: channel.key, idle: channel.idle(now), end: () => channel.end() }))
  }

  #findBest(key: K, isFree: (member: T) => boolean): T | undefined {
    const members = this.#list(key.id)
    const [best] = members.filter(isFree).sort((a, b) => a.channel.load - b.channel.load)
    const isEnough = best === undefined || best.channel.load < highLoad
    // Help for the next ones is on its way; this one is served by what is there.
    if (!isEnough && members.length < mostForKey) this.#startOne(key).catch(() => undefined)
    return best
  }

  async #useNext<R>(key: K, isFree: (member: T) => boolean, use: (member: T) => R): Promise<R> {
    const deadline = performance.now() + longestWait
    for (;;) {
      if (this.#list(key.id).length < mostForKey) await this.#startOne(key)
      else await this.#awaitChange(key, deadline)
      const best = this.#findBest(key, isFree)
      if (best) return use(best)
    }
  }

  /** Those that run. Of a key that has none, nothing is kept. */
  #list(id: string): T[] {
    const members = (this.#members.get(id) ?? []).filter(({ channel }) => !channel.isOver)
    if (members.length > 0) this.#members.set(id, members)
    else this.#members.delete(id)
    return members
  }

  #awaitChange({ id }: K, deadline: number): Promise<void> {
    const ahead = [...this.#waiting.values()].filter((other) => other === id).length
    if (ahead >= mostWaiting) throw busy(`${ahead} requests wait for a child already`)
    const left = deadline - performance.now()
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(wake)
        reject(busy('every child is taken by a request that needs it alone'))
      }, left)
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

function busy(cause: string): ProxyError {
  return new ProxyError('upstream_busy', { cause, retryAfter: 5 })
}
