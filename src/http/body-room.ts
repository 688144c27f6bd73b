import type { BodyRoomUsage } from '../core/body-room-usage.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { type Waiting, watchIdle } from './idle-watch.ts'

/** Bytes of a body that need no reservation: so much arrives with the first reads in any case. */
export const ROOMLESS_BYTES = 16 * 1024

export interface BodyRoomLimits {
  /** For all long bodies together. */
  readonly bodiesBytes: number
  /** Of the longest that is permitted; at most `bodiesBytes`. */
  readonly bodyBytes: number
  /** Seconds that a body may wait for room, and that one which has room may take to arrive while others wait. */
  readonly bodyIdleSeconds: number
}

export interface BodyOwners {
  readonly user: string
  readonly server: string
}

/** Room for one body: asked for at once, given as soon as there is some, in the order of asking. */
export interface BodyClaim {
  /** @throws ProxyError `bodies_limited` when no room came in time, `client_gone` when it was given back before */
  readonly given: Promise<void>
  /** The body has arrived, is late no more, and needs no more room than it has bytes. */
  arrived(bytes: number): void
  /** Gives the room back. Doing so again changes nothing. */
  release(): void
}

/** The memory that all long request bodies have together, from their first byte until they are sent on. */
export interface BodyRoom {
  /**
   * @param bytes - the largest size that the body can have
   * @param onLate - called when the body has taken too long to arrive, and others wait
   */
  claim(bytes: number, owners: BodyOwners, onLate: () => void): BodyClaim
}

/** The room, and how full it is. */
export interface MeasuredBodyRoom extends BodyRoom {
  usage(): BodyRoomUsage
  /** What has room keeps it, also where it is more than the new limits. */
  resize(limits: BodyRoomLimits): void
}

/**
 * The most bodies that wait. Each holds the bytes that arrived before it was known to be long. One user has at most a quarter of the places
 * and one server half, so that others find a place.
 */
const MAX_WAITING = 400

/** @returns room that is empty */
export function createBodyRoom(limits: BodyRoomLimits, clock: Clock = systemClock): MeasuredBodyRoom {
  const keeper = new Keeper(limits, clock)
  return {
    resize: (more) => keeper.resize(more),
    claim(bytes, { user, server }, onLate) {
      const { bodyBytes, bodiesBytes } = keeper.limits
      // Neither one user nor one server that does not read its requests can keep the others out.
      const shares = [
        { owner: `user ${user}`, bytes: Math.max(bodyBytes, bodiesBytes / 4), waiting: MAX_WAITING / 4 },
        { owner: `server ${server}`, bytes: Math.max(bodyBytes, bodiesBytes / 2), waiting: MAX_WAITING / 2 },
      ]
      const claim = new Claim(keeper, bytes, shares, onLate)
      keeper.admit(claim)
      return claim
    },
    usage: () => keeper.usage(),
  }
}

/** What one owner may have. */
interface Share {
  readonly owner: string
  readonly bytes: number
  /** Of the claims that wait. */
  readonly waiting: number
}

/** Keeps the claims that have room and those that wait for it. */
class Keeper {
  limits: BodyRoomLimits
  readonly clock: Clock
  #free: number
  readonly #owned = new Map<string, number>()
  /** In the order of their coming, each: sets keep it. */
  readonly #waiting = new Set<Claim>()
  readonly #arriving = new Set<Claim>()

  constructor(limits: BodyRoomLimits, clock: Clock) {
    this.limits = limits
    this.clock = clock
    this.#free = limits.bodiesBytes
  }

  resize(limits: BodyRoomLimits): void {
    this.#free += limits.bodiesBytes - this.limits.bodiesBytes
    this.limits = limits
    this.#serve()
  }

  usage(): BodyRoomUsage {
    const totalBytes = this.limits.bodiesBytes
    return { usedBytes: totalBytes - this.#free, totalBytes, waiting: this.#waiting.size }
  }

  admit(claim: Claim): void {
    this.#waiting.add(claim)
    this.#serve()
    if (!this.#waiting.has(claim)) return
    if (this.#isCrowded(claim)) {
      this.#waiting.delete(claim)
      return claim.refuse()
    }
    claim.startWaiting()
    this.#hurry(claim)
  }

  /** A claim has had its time. Bodies that take long to arrive are cut for it; if it still waits then, it is refused. */
  dismiss(claim: Claim): void {
    this.#hurry(claim)
    if (!this.#waiting.delete(claim)) return
    claim.refuse()
    this.#serve()
  }

  settle(claim: Claim, bytes: number): void {
    if (!this.#arriving.delete(claim)) return
    this.#count(claim, bytes - claim.bytes)
    claim.bytes = bytes
    this.#serve()
  }

  leave(claim: Claim): void {
    if (!this.#waiting.delete(claim)) {
      this.#arriving.delete(claim)
      this.#count(claim, -claim.bytes)
    }
    this.#serve()
  }

  /** A claim whose owner has used up its share is skipped. A claim for which there is not enough room yet blocks those after it, or a long body would wait forever. */
  #serve(): void {
    for (const claim of this.#waiting) {
      if (this.#findSpent(claim) !== undefined) continue
      if (claim.bytes > this.#free) return
      this.#waiting.delete(claim)
      this.#arriving.add(claim)
      this.#count(claim, claim.bytes)
      claim.give()
    }
  }

  /** The first of the shares in which there is too little left for the claim. */
  #findSpent({ shares, bytes }: Claim): Share | undefined {
    return shares.find((share) => this.#find(share) + bytes > share.bytes)
  }

  #isCrowded({ shares }: Claim): boolean {
    const all = [...this.#waiting]
    return all.length > MAX_WAITING || shares.some((share) => all.filter((claim) => claim.isOf(share)).length > share.waiting)
  }

  #find({ owner }: Share): number {
    return this.#owned.get(owner) ?? 0
  }

  #count({ shares }: Claim, bytes: number): void {
    this.#free -= bytes
    for (const share of shares) {
      const owned = this.#find(share) + bytes
      if (owned === 0) this.#owned.delete(share.owner)
      else this.#owned.set(share.owner, owned)
    }
  }

  /** Cuts bodies that take long to arrive: those of the owner whose share is used up, or else of all. */
  #hurry(waiting: Claim): void {
    const earliest = this.clock.monotonic() - this.limits.bodyIdleSeconds * 1000
    const spent = this.#findSpent(waiting)
    for (const claim of [...this.#arriving])
      if (claim.givenAt < earliest && (spent === undefined || claim.isOf(spent))) claim.onLate()
  }
}

class Claim implements BodyClaim {
  bytes: number
  readonly shares: readonly Share[]
  readonly onLate: () => void
  readonly given: Promise<void>
  givenAt = 0
  readonly #keeper: Keeper
  #isOver = false
  #waiting: Waiting | undefined
  #resolve: () => void = () => undefined
  #reject: (error: ProxyError) => void = () => undefined

  constructor(keeper: Keeper, bytes: number, shares: readonly Share[], onLate: () => void) {
    this.#keeper = keeper
    this.bytes = bytes
    this.shares = shares
    this.onLate = onLate
    this.given = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  startWaiting(): void {
    this.#waiting = watchIdle(this.#keeper.limits.bodyIdleSeconds, () => this.#keeper.dismiss(this), this.#keeper.clock)
  }

  give(): void {
    this.#waiting?.stop()
    this.givenAt = this.#keeper.clock.monotonic()
    this.#resolve()
  }

  refuse(): void {
    this.#isOver = true
    this.#reject(new ProxyError('bodies_limited', { cause: 'no room for the body', retryAfter: 1 }))
  }

  isOf({ owner }: Share): boolean {
    return this.shares.some((share) => share.owner === owner)
  }

  arrived(bytes: number): void {
    this.#keeper.settle(this, bytes)
  }

  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting?.stop()
    this.#keeper.leave(this)
    this.#reject(new ProxyError('client_gone'))
  }
}
