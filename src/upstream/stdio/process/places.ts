import { ProxyError } from '../../../core/errors.ts'

/** Longest wait for a process that is being ended to be gone: it gets SIGTERM and SIGKILL before. */
const longestWait = 5000
const retryAfterSeconds = 5
/** One principal has this part of all places at most, and two where there are so few. */
const shareOfOne = 1 / 4
const leastShare = 2

/** A process on which nothing runs: its client begins anew, and loses what the server remembers of it. */
export interface Spare {
  /** Whom it was started for. */
  readonly key: string
  /** Milliseconds for which nothing has been asked of it. */
  readonly idle: number
  end(): void
}

/** A place for a process. */
export interface Place {
  /** The process is there no more, or could not be started. */
  free(): void
  /** The process is being ended: it counts for its principal no more. */
  leave(): void
}

export interface PlacesOptions {
  /** Most processes at a time. */
  readonly most: number
  /** Whether processes are shared by principals, so that none is one's own. */
  readonly isShared: boolean
  readonly listSpares: () => readonly Spare[]
}

/**
 * The places for processes. A principal that wants more than its share gives up its own longest idle process; when all places are taken,
 * the principal that holds most gives one up. A process on which a request runs is never ended for another.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #share: number
  /** Places of each principal, processes that are being ended not counted. */
  readonly #held = new Map<string, number>()
  #taken = 0
  #waiting: (() => void)[] = []

  constructor(options: PlacesOptions) {
    this.#options = options
    const share = Math.max(leastShare, Math.ceil(options.most * shareOfOne))
    this.#share = options.isShared ? options.most : Math.min(options.most, share)
  }

  /** Takes a place, which counts from now on. @throws ProxyError `upstream_busy` */
  async take(key: string): Promise<Place> {
    this.#makeRoom(key)
    this.#change(key, 1)
    const place = this.#createPlace(key)
    if (this.#taken < this.#options.most) this.#taken++
    else
      await this.#awaitFree().catch((error: unknown) => {
        place.leave()
        throw error
      })
    return place
  }

  /** Lets everyone go who waits. */
  close(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Nothing comes between choosing a process and ending it. */
  #makeRoom(key: string): void {
    const spares = this.#options.listSpares()
    if (this.#count(key) >= this.#share) {
      const own = findIdlest(spares.filter((spare) => spare.key === key))
      if (!own) throw busy(`${this.#count(key)} processes of one user are at work, which is all that one may have`)
      return own.end()
    }
    if (this.#total() < this.#options.most) return
    // Nobody is to have more than the one who has to give.
    const givers = spares.filter((spare) => spare.key === key || this.#count(spare.key) >= Math.max(1, this.#count(key)))
    const most = Math.max(0, ...givers.map((spare) => this.#count(spare.key)))
    const giver = findIdlest(givers.filter((spare) => this.#count(spare.key) === most))
    if (!giver) throw busy(`all ${this.#options.most} processes are in use`)
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

  /** The place goes to the one who has waited longest, past those who come now. */
  #release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#taken--
  }

  #awaitFree(): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== wake)
        reject(busy('no process has ended in time'))
      }, longestWait)
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
  return new ProxyError('upstream_busy', { cause, retryAfter: retryAfterSeconds })
}
