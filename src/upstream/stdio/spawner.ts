import { ProxyError } from '../../core/errors.ts'
import type { StdioUpstreamPlan } from '../../core/plan.ts'
import { Backoff } from './backoff.ts'
import { Child, type ChildHandlers, formatCommand } from './child.ts'
import type { HeldMemory, MemoryShare } from './held-memory.ts'
import { Watchdog } from './watchdog.ts'

/** Longest wait for a place or for the end of a pause; beyond it the client is told to come back. */
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
  readonly #reclaimers: (() => boolean)[] = []
  #waiting: (() => void)[] = []
  #reserved = 0
  #isClosed = false

  constructor(options: SpawnerOptions) {
    this.#options = options
    this.#watchdog = new Watchdog(options.onEvent)
  }

  /** Seconds that a request may go without an answer or progress. */
  get requestSeconds(): number {
    return this.#options.plan.requestSeconds
  }

  /** Children that run. */
  get size(): number {
    return this.#children.size
  }

  /** @param reclaim - ends a child that can be spared, and tells whether there was one */
  onFull(reclaim: () => boolean): void {
    this.#reclaimers.push(reclaim)
  }

  /**
   * Starts a child.
   *
   * @param key - for whom; failures count for them alone
   * @throws ProxyError `upstream_busy` with the time after which another try makes sense
   */
  async start(key: string, handlers: ChildHandlers): Promise<Child> {
    await this.#awaitBackoff(key)
    await this.#reserve()
    this.#reserved--
    if (this.#isClosed) throw new ProxyError('shutting_down', { retryAfter: 1 })
    const startedAt = performance.now()
    const { plan, onStderr } = this.#options
    const child: Child = new Child(
      { plan, watchdog: this.#watchdog, onStderr, memory: this.#openMemory(key) },
      {
        ...handlers,
        ended: (end) => {
          this.#children.delete(child)
          this.#waiting.shift()?.()
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
    for (const resolve of this.#waiting.splice(0)) resolve()
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

  /** Takes a place among `maxProcesses`, that of a child that can be spared if need be. */
  async #reserve(): Promise<void> {
    const isFull = (): boolean => this.#children.size + this.#reserved >= this.#options.plan.maxProcesses
    if (isFull() && this.#reclaimers.some((reclaim) => reclaim())) await this.#awaitEnd()
    if (isFull()) {
      const cause = `all ${this.#options.plan.maxProcesses} processes are in use`
      throw new ProxyError('upstream_busy', { cause, retryAfter: retryAfterSeconds })
    }
    this.#reserved++
  }

  #awaitEnd(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, longestWait)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

/** How clients hear of a child that ended. */
export function describeEnd(reason: Error & { code?: string }): ProxyError {
  if (reason.code !== undefined && scarce.has(reason.code))
    return new ProxyError('upstream_busy', { cause: reason, retryAfter: retryAfterSeconds })
  if (reason.code !== undefined) return new ProxyError('upstream_unreachable', { cause: reason })
  return new ProxyError('upstream_ended', { cause: reason, retryAfter: 1 })
}
