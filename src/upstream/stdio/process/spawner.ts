import { ProxyError } from '../../../core/errors.ts'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import type { HeldMemory, MemoryShare } from '../wire/held-memory.ts'
import { Backoff } from './backoff.ts'
import { Child, type ChildHandlers, formatCommand } from './child.ts'
import { type Place, Places, type Spare } from './places.ts'
import { Watchdog } from './watchdog.ts'

/** Longest wait for the end of a pause; beyond it the client is told to come back. */
const longestWait = 1500
/** Start failures of the machine, not of the command: EAGAIN, ENOMEM, EMFILE, ENFILE. */
const scarce = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])
const retryAfterSeconds = 5

export interface SpawnerOptions {
  readonly plan: StdioUpstreamPlan
  readonly onStderr: (line: string) => void
  readonly name: string
  readonly memory: HeldMemory
  /** What the operator should know: starts that failed, children that ended by themselves. */
  readonly onEvent: (event: string) => void
}

/** Starts children: not more than permitted, and not again at once when they fail. */
export class Spawner {
  readonly #options: SpawnerOptions
  readonly #backoff = new Backoff()
  readonly #watchdog: Watchdog
  readonly #children = new Set<Child>()
  readonly #places: Places
  readonly #spares: (() => readonly Spare[])[] = []
  #isClosed = false

  constructor(options: SpawnerOptions) {
    this.#options = options
    this.#watchdog = new Watchdog(options.onEvent)
    this.#places = new Places({
      most: options.plan.maxProcesses,
      isShared: options.plan.processPer === 'shared',
      listSpares: () => this.#spares.flatMap((list) => list()),
    })
  }

  /** Seconds that a request may go without an answer or progress. */
  get requestSeconds(): number {
    return this.#options.plan.requestSeconds
  }

  /** Children that run. */
  get size(): number {
    return this.#children.size
  }

  /** @param list - children that can be spared when others are wanted */
  onFull(list: () => readonly Spare[]): void {
    this.#spares.push(list)
  }

  /** Tells the operator of a child that has not answered its first request. */
  reportSilence(): void {
    const { command, startSeconds } = this.#options.plan
    this.#options.onEvent(
      `${formatCommand(command)} did not answer its first request within ${startSeconds} seconds; it is ended`,
    )
  }

  /**
   * Starts a child.
   *
   * @param key - for whom; failures count for them alone
   * @throws ProxyError `upstream_busy` with the time after which another try makes sense
   */
  async start(key: string, handlers: ChildHandlers): Promise<Child> {
    await this.#awaitBackoff(key)
    const place = await this.#places.take(key)
    if (this.#isClosed) {
      place.free()
      throw new ProxyError('shutting_down', { retryAfter: 1 })
    }
    return this.#startIn(place, key, handlers)
  }

  #startIn(place: Place, key: string, handlers: ChildHandlers): Child {
    const startedAt = performance.now()
    const { plan, onStderr } = this.#options
    const child: Child = new Child(
      { plan, watchdog: this.#watchdog, onStderr, memory: this.#openMemory(key) },
      {
        ...handlers,
        ending: () => place.leave(),
        ended: (end) => {
          this.#children.delete(child)
          place.free()
          if (end.expected) this.#backoff.succeeded(key)
          else this.#backoff.failed(key, performance.now() - startedAt)
          if (!end.expected) this.#options.onEvent(end.reason.message)
          handlers.ended(end)
        },
      },
    )
    this.#children.add(child)
    return child
  }

  /** Ends all children; those that don't end by themselves within `deadline` milliseconds are killed. */
  async close(deadline: number): Promise<void> {
    this.#isClosed = true
    this.#places.close()
    await Promise.all([...this.#children].map((child) => child.end(deadline / 2)))
  }

  /** A child that users share is no user's. */
  #openMemory(key: string): MemoryShare {
    const { plan, name, memory } = this.#options
    return memory.open(name, plan.processPer === 'shared' ? undefined : key)
  }

  async #awaitBackoff(key: string): Promise<void> {
    const delay = this.#backoff.delay(key)
    if (delay === 0) return
    if (delay > longestWait) {
      const cause = `${formatCommand(this.#options.plan.command)} keeps failing; it is not started again yet`
      throw new ProxyError('upstream_busy', { cause, retryAfter: Math.ceil(delay / 1000) })
    }
    await new Promise((resolve) => setTimeout(resolve, delay))
  }
}

/** How clients hear of a child that ended. */
export function describeEnd(reason: Error & { code?: string }): ProxyError {
  if (reason.code !== undefined && scarce.has(reason.code))
    return new ProxyError('upstream_busy', { cause: reason, retryAfter: retryAfterSeconds })
  if (reason.code !== undefined) return new ProxyError('upstream_unreachable', { cause: reason })
  return new ProxyError('upstream_ended', { cause: reason, retryAfter: 1 })
}
