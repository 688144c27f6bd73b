import { type Clock, systemClock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { Failure } from '../../../core/failure.ts'
import type { HeldMemory, MemoryShare } from '../../../core/held-memory.ts'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import type { ProcessChange, ProcessList } from '../../../core/upstream-usage.ts'
import { type Waiting, watchIdle } from '../../../http/idle-watch.ts'
import { Backoff } from './backoff.ts'
import { Child, formatCommand } from './child.ts'
import { type Place, Places, type Spare } from './places.ts'
import type { ProcessOwner } from './process-owner.ts'
import type { ProcessEnd, ProcessHandlers, ProcessSource, ServerProcess } from './server-process.ts'
import { Watchdog } from './watchdog.ts'

/** How long a start is delayed after failures. When it would be longer, the client is told to try again. */
const MAX_WAIT_MS = 1500
/** The machine, not the command, is why a start failed. */
const SCARCITY_ERRORS = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])
const RETRY_AFTER_SECONDS = 5

export interface SpawnerOptions {
  readonly plan: StdioUpstreamPlan
  readonly onStderr: (line: string) => void
  readonly name: string
  readonly memory: HeldMemory
  /** Called with what the operator should know: starts that failed, processes that ended unexpectedly. */
  readonly onEvent: (event: string) => void
  /** Called with each start and each end. */
  readonly onProcess?: ((change: ProcessChange) => void) | undefined
  readonly clock?: Clock
}

/** Starts processes: no more than permitted, and after failures with a delay. */
export class Spawner implements ProcessSource {
  readonly clock: Clock
  readonly #options: SpawnerOptions
  readonly #backoff = new Backoff()
  readonly #watchdog: Watchdog
  /** With the time at which they were started, monotonic. */
  readonly #children = new Map<Child, number>()
  #lastFailure: Failure | undefined
  readonly #places: Places
  readonly #spares: (() => readonly Spare[])[] = []
  #isClosed = false

  constructor(options: SpawnerOptions) {
    this.#options = options
    this.clock = options.clock ?? systemClock
    this.#watchdog = new Watchdog(options.onEvent)
    this.#places = new Places({
      clock: this.clock,
      maxProcesses: options.plan.maxProcesses,
      isShared: options.plan.processPer === 'shared',
      listSpares: () => this.#spares.flatMap((list) => list()),
    })
  }

  get requestSeconds(): number {
    return this.#options.plan.requestSeconds
  }

  get processes(): number {
    return this.#children.size
  }

  listProcesses(): ProcessList {
    const now = this.clock.monotonic()
    const running = [...this.#children].flatMap(([{ pid }, startedAt]) =>
      pid === undefined ? [] : [{ pid, ageMs: now - startedAt }],
    )
    return { running, lastFailure: this.#lastFailure }
  }

  watchRequest(onIdle: () => void): Waiting {
    return watchIdle(this.requestSeconds, onIdle, this.clock)
  }

  onFull(list: () => readonly Spare[]): void {
    this.#spares.push(list)
  }

  reportSilence(): void {
    const { command, startSeconds } = this.#options.plan
    this.#options.onEvent(
      `${formatCommand(command)} did not answer its first request within ${startSeconds} seconds; it is ended`,
    )
  }

  async start(owner: ProcessOwner, handlers: ProcessHandlers): Promise<ServerProcess> {
    await this.#awaitBackoff(owner.key)
    const place = await this.#places.take(owner.key)
    if (this.#isClosed) {
      place.free()
      throw new ProxyError('shutting_down', { retryAfter: 1 })
    }
    return this.#startIn(place, owner, handlers)
  }

  #startIn(place: Place, { key, variables }: ProcessOwner, handlers: ProcessHandlers): Child {
    const startedAt = this.clock.monotonic()
    const { plan, onStderr } = this.#options
    const child: Child = new Child(
      {
        plan,
        variables: variables?.values,
        clock: this.clock,
        watchdog: this.#watchdog,
        onStderr,
        memory: this.#openMemory(key),
      },
      {
        ...handlers,
        ending: () => place.leave(),
        ended: (end) => {
          const now = this.clock.monotonic()
          this.#children.delete(child)
          place.free()
          if (end.wasUsable) this.#backoff.succeeded(key)
          else this.#backoff.failed(key, now - startedAt, now)
          if (!end.expected) this.#noteFailure(end)
          this.#options.onProcess?.(findChange(end))
          handlers.ended(end)
        },
      },
    )
    this.#children.set(child, startedAt)
    this.#options.onProcess?.('started')
    return child
  }

  /** What a process wrote last is for the log only. */
  #noteFailure({ reason }: ProcessEnd): void {
    const cause = reason.code === undefined ? 'a process ended by itself' : `the program could not be started (${reason.code})`
    this.#lastFailure = { cause, at: this.clock.wall() }
    this.#options.onEvent(reason.message)
  }

  /** Ends all processes. Those that don't end by themselves within `deadlineMs` are killed. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosed = true
    this.#places.close()
    await Promise.all([...this.#children.keys()].map((child) => child.end(deadlineMs / 2)))
  }

  /** A process that users share is not on any user's account. */
  #openMemory(key: string): MemoryShare {
    const { plan, name, memory } = this.#options
    return memory.open(name, plan.processPer === 'shared' ? undefined : key)
  }

  async #awaitBackoff(key: string): Promise<void> {
    const delay = this.#backoff.delay(key, this.clock.monotonic())
    if (delay === 0) return
    if (delay > MAX_WAIT_MS) {
      const cause = `${formatCommand(this.#options.plan.command)} keeps failing; it is not started again yet`
      throw new ProxyError('upstream_busy', { reason: 'restarting', cause, retryAfter: Math.ceil(delay / 1000) })
    }
    await new Promise<void>((resolve) => this.clock.after(delay, resolve))
  }
}

/** A process that could not be started ends with the system's error. */
function findChange({ expected, reason }: ProcessEnd): ProcessChange {
  if (expected) return 'ended'
  return reason.code === undefined ? 'crashed' : 'start_failed'
}

/** The error that clients get when a process has ended. */
export function describeEnd(reason: Error & { code?: string }): ProxyError {
  if (reason.code !== undefined && SCARCITY_ERRORS.has(reason.code))
    return new ProxyError('upstream_busy', { reason: 'system_limit', cause: reason, retryAfter: RETRY_AFTER_SECONDS })
  if (reason.code !== undefined) return new ProxyError('upstream_unreachable', { reason: 'not_started', cause: reason })
  return new ProxyError('upstream_ended', { cause: reason, retryAfter: 1 })
}
