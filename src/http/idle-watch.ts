import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'

/** How often watches are checked, in milliseconds: long ones at most this late, short ones by a part of their time. */
const MAX_TICK_MS = 500
const MIN_TICK_MS = 10
const TICKS_OF_A_WATCH = 40

/** Something that waits for bytes. */
export interface Waiting {
  /** Bytes came: begin to count anew. */
  touch(): void
  /** It waits no more. */
  stop(): void
}

/** One of a ring: to join and to leave it costs a few assignments, for each request three times. */
class Entry implements Waiting {
  ticks = 0
  readonly maxTicks: number
  readonly onIdle: () => void
  before: Entry = this
  after: Entry = this

  constructor(maxTicks: number, onIdle: () => void) {
    this.maxTicks = maxTicks
    this.onIdle = onIdle
  }

  join(place: Entry): void {
    this.before = place.before
    this.after = place
    place.before.after = this
    place.before = this
  }

  touch(): void {
    this.ticks = 0
  }

  /** An entry that has left points at itself, so that leaving again changes nothing for others. */
  stop(): void {
    this.before.after = this.after
    this.after.before = this.before
    this.before = this
    this.after = this
  }
}

/** All watches of one clock that are checked as often, and the timer that they share. */
interface Ring {
  readonly tickMs: number
  /** Where the ring begins and ends. It waits for nothing. */
  readonly place: Entry
  cancelTimer: CancelTimer | undefined
}

type Rings = Map<number, Ring>

const systemRings: Rings = new Map()
const otherRings = new WeakMap<Clock, Rings>()

/**
 * Calls `onIdle` once when `touch` was not called for `seconds`; no sooner, and late by 2.5 % or half a second at most. One timer serves all
 * watches of about the same time: a timer for each request costs more than reading its header section.
 */
export function watchIdle(seconds: number, onIdle: () => void, clock: Clock = systemClock): Waiting {
  const ring = findRing(clock, seconds * 1000)
  const entry = new Entry(Math.ceil((seconds * 1000) / ring.tickMs), onIdle)
  entry.join(ring.place)
  startTicking(ring, clock)
  return entry
}

/** By itself: a timer that is made beside an entry would keep that entry, and all that it closes over. */
function startTicking(ring: Ring, clock: Clock): void {
  ring.cancelTimer ??= clock.every(ring.tickMs, () => tick(ring))
}

function findRing(clock: Clock, durationMs: number): Ring {
  const rings = clock === systemClock ? systemRings : findOtherRings(clock)
  const tickMs = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, Math.floor(durationMs / TICKS_OF_A_WATCH)))
  const known = rings.get(tickMs)
  if (known !== undefined) return known
  const ring = createRing(tickMs)
  rings.set(tickMs, ring)
  return ring
}

function findOtherRings(clock: Clock): Rings {
  const rings = otherRings.get(clock) ?? new Map<number, Ring>()
  otherRings.set(clock, rings)
  return rings
}

function createRing(tickMs: number): Ring {
  return { tickMs, place: new Entry(0, () => undefined), cancelTimer: undefined }
}

function tick(ring: Ring): void {
  for (const entry of listWaiting(ring)) {
    // An entry before it may have stopped it.
    if (entry.after === entry || ++entry.ticks <= entry.maxTicks) continue
    entry.stop()
    entry.onIdle()
  }
  if (ring.place.after !== ring.place) return
  ring.cancelTimer?.()
  ring.cancelTimer = undefined
}

function listWaiting({ place }: Ring): Entry[] {
  const waiting: Entry[] = []
  for (let entry = place.after; entry !== place; entry = entry.after) waiting.push(entry)
  return waiting
}
