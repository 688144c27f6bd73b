import { ProxyError } from '../../../core/errors.ts'
import type { Spare } from '../process/places.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Requests on one child at which another one is started beside it. */
const highLoad = 32
/** Most children for one key. */
const mostForKey = 4

/** Milliseconds for which a request waits for a child that can take it. */
const longestWait = 60_000

export interface PoolMember {
  readonly channel: Channel
  /** Whether it must go on though nothing is asked of it. */
  readonly isHeld?: () => boolean
}

/** Children by whom they serve: those of one key are as good as each other. */
export class Pool<T extends PoolMember> {
  readonly #start: (key: string) => Promise<T>
  readonly #members = new Map<string, T[]>()
  readonly #starting = new Map<string, Promise<T>>()
  readonly #waiting = new Set<() => void>()

  /** @param start - starts a child and makes it ready */
  constructor(start: (key: string) => Promise<T>) {
    this.#start = start
  }

  /**
   * Uses a child that can take one more request. Nothing comes between finding it free and using it.
   *
   * @param isFree - which ones come into question; {@link changed} tells when that may have become true of another
   * @throws ProxyError of starting one; `upstream_busy`
   */
  async use<R>(key: string, isFree: (member: T) => boolean, use: (member: T) => R): Promise<R> {
    const deadline = performance.now() + longestWait
    for (;;) {
      const members = this.#list(key)
      const [best] = members.filter(isFree).sort((a, b) => a.channel.load - b.channel.load)
      const isEnough = best !== undefined && best.channel.load < highLoad
      // Help for the next ones is on its way; this one is served by what is there.
      if (best && !isEnough && members.length < mostForKey) this.#startOne(key).catch(() => undefined)
      if (best) return use(best)
      if (members.length < mostForKey) await this.#startOne(key)
      else await this.#awaitChange(deadline)
    }
  }

  /** A child may have become free. */
  changed(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** Every child that runs. */
  *all(): Generator<T> {
    for (const key of this.#members.keys()) yield* this.#list(key)
  }

  sweep(idleMilliseconds: number): void {
    const now = performance.now()
    for (const { channel, isHeld } of this.all()) if (!isHeld?.() && channel.idle(now) > idleMilliseconds) channel.end()
    for (const key of [...this.#members.keys()]) if (this.#list(key).length === 0) this.#members.delete(key)
  }

  /** Children of which nothing is asked. */
  spares(): Spare[] {
    const now = performance.now()
    const idle = [...this.all()].filter(({ channel, isHeld }) => channel.load === 0 && !isHeld?.())
    return idle.map(({ channel }) => ({ key: channel.key, idle: channel.idle(now), end: () => channel.end() }))
  }

  #list(key: string): T[] {
    const members = (this.#members.get(key) ?? []).filter(({ channel }) => !channel.isOver)
    this.#members.set(key, members)
    return members
  }

  #awaitChange(deadline: number): Promise<void> {
    const left = deadline - performance.now()
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(wake)
        reject(new ProxyError('upstream_busy', { cause: 'every child is taken by a request that needs it alone', retryAfter: 5 }))
      }, left)
      this.#waiting.add(wake)
    })
  }

  #startOne(key: string): Promise<T> {
    const running = this.#starting.get(key)
    if (running) return running
    const starting = this.#startFresh(key).finally(() => {
      this.#starting.delete(key)
      this.changed()
    })
    this.#starting.set(key, starting)
    return starting
  }

  async #startFresh(key: string): Promise<T> {
    const member = await this.#start(key)
    this.#list(key).push(member)
    return member
  }
}
