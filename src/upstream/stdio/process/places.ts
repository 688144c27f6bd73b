import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'

/** How long a start waits for another process to end, which gets SIGTERM and SIGKILL in that time. */
const MAX_WAIT_MS = 5000
const RETRY_AFTER_SECONDS = 5
/** The part of all places that one principal may have, and the number that it may have in any case. */
const SHARE_OF_PRINCIPAL = 1 / 4
const MIN_SHARE = 2

/** A process without pending requests. When it ends, its client has to start over, and loses what the server has remembered. */
export interface Spare {
  /** Whom it was started for. */
  readonly key: string
  /** Milliseconds since its last request. */
  readonly idle: number
  end(): void
}

/** A place for a process. */
export interface Place {
  /** Frees the place: the process is gone, or could not be started. */
  free(): void
  /** Stops counting the place for its principal: the process is ending. */
  leave(): void
}

export interface PlacesOptions {
  readonly clock: Clock
  readonly maxProcesses: number
  /** Whether principals share processes, so that there are no shares. */
  readonly isShared: boolean
  readonly listSpares: () => readonly Spare[]
}

/**
 * The places for processes. A principal at its limit gives up the longest idle of its own processes. When all places are taken, the principal
 * that has most gives one up. A process with a pending request is never ended for another.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #share: number
  /** How many places each principal has, without those of ending processes. */
  readonly #held = new Map<string, number>()
  #taken = 0
  #waiting: (() => void)[] = []

  constructor(options: PlacesOptions) {
    this.#options = options
    const share = Math.max(MIN_SHARE, Math.ceil(options.maxProcesses * SHARE_OF_PRINCIPAL))
    this.#share = options.isShared ? options.maxProcesses : Math.min(options.maxProcesses, share)
  }

  /** Takes a place, which counts from now on. @throws ProxyError `upstream_busy` */
  async take(key: string): Promise<Place> {
    this.#makeRoom(key)
    this.#change(key, 1)
    const place = this.#createPlace(key)
    if (this.#taken < this.#options.maxProcesses) this.#taken++
    else
      await this.#awaitFree().catch((error: unknown) => {
        place.leave()
        throw error
      })
    return place
  }

  /** Ends all waits. */
  close(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Chooses a process and ends it in the same tick. */
  #makeRoom(key: string): void {
    const spares = this.#options.listSpares()
    if (this.#count(key) >= this.#share) {
      const own = findIdlest(spares.filter((spare) => spare.key === key))
      if (!own) throw busy(`${this.#count(key)} processes of one user are at work, which is all that one may have`)
      return own.end()
    }
    if (this.#total() < this.#options.maxProcesses) return
    // A principal must not get more than the one that gives up a process.
    const givers = spares.filter((spare) => spare.key === key || this.#count(spare.key) >= Math.max(1, this.#count(key)))
    const most = Math.max(0, ...givers.map((spare) => this.#count(spare.key)))
    const giver = findIdlest(givers.filter((spare) => this.#count(spare.key) === most))
    if (!giver) throw busy(`all ${this.#options.maxProcesses} processes are in use`)
    giver.end()
  }

  #createPlace(key: string): Place {
    let isHeld = true
    let isTaken = true
    const leave = (): void => {
      if (isHeld) this.#change(key, -1)
      isHeld = false
    }
    return {
      leave,
      free: () => {
        leave()
        if (isTaken) this.#release()
        isTaken = false
      },
    }
  }

  /** Gives the place to the start that has waited longest. */
  #release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#taken--
  }

  #awaitFree(): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#options.clock.after(MAX_WAIT_MS, () => {
        this.#waiting = this.#waiting.filter((other) => other !== wake)
        reject(busy('no process has ended in time'))
      })
      this.#waiting.push(wake)
    })
  }

  #total(): number {
    return [...this.#held.values()].reduce((sum, count) => sum + count, 0)
  }

  #count(key: string): number {
    return this.#held.get(key) ?? 0
  }

  #change(key: string, by: number): void {
    const count = this.#count(key) + by
    if (count > 0) this.#held.set(key, count)
    else this.#held.delete(key)
  }
}

function findIdlest(spares: readonly Spare[]): Spare | undefined {
  return spares.reduce<Spare | undefined>((idlest, spare) => (idlest && idlest.idle >= spare.idle ? idlest : spare), undefined)
}

function busy(cause: string): ProxyError {
  return new ProxyError('upstream_busy', { reason: 'processes_limit', cause, retryAfter: RETRY_AFTER_SECONDS })
}
