import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'

/** How often all watches are checked, in milliseconds: timeouts are exact to this. */
const TICK_MS = 500

/** Something that waits for bytes. */
export interface Waiting {
  /** Bytes came: begin to count anew. */
  touch(): void
  /** It waits no more. */
  stop(): void
}

/** One of a ring: to join and to leave it costs a few assignments, for each request twice. */
interface Entry {
  ticks: number
  readonly maxTicks: number
  readonly onIdle: () => void
  before: Entry
  after: Entry
}

/** All watches of one clock, and the timer that they share. */
interface Ring {
  /** Where the ring begins and ends. It waits for nothing. */
  readonly place: Entry
  cancelTimer: CancelTimer | undefined
}

const systemRing = createRing()
const otherRings = new WeakMap<Clock, Ring>()

/**
 * Calls `onIdle` once when `touch` was not called for `seconds`. One timer serves all watches: a timer for each request costs more than
 * reading its header section.
 */
export function watchIdle(seconds: number, onIdle: () => void, clock: Clock = systemClock): Waiting {
  const ring = findRing(clock)
  const { place } = ring
  const entry: Entry = {
    ticks: 0,
    maxTicks: Math.ceil((seconds * 1000) / TICK_MS),
    onIdle,
    before: place.before,
    after: place,
  }
  place.before.after = entry
  place.before = entry
  ring.cancelTimer ??= clock.every(TICK_MS, () => tick(ring))
  return {
    touch() {
      entry.ticks = 0
    },
    stop: () => leave(entry),
  }
}

function findRing(clock: Clock): Ring {
  if (clock === systemClock) return systemRing
  const ring = otherRings.get(clock) ?? createRing()
  otherRings.set(clock, ring)
  return ring
}

function createRing(): Ring {
  const place = { ticks: 0, maxTicks: 0, onIdle: () => undefined } as unknown as Entry
  place.before = place
  place.after = place
  return { place, cancelTimer: undefined }
}

/** An entry that has left points at itself, so that leaving again changes nothing for others. */
function leave(entry: Entry): void {
  entry.before.after = entry.after
  entry.after.before = entry.before
  entry.before = entry
  entry.after = entry
}

function tick(ring: Ring): void {
  for (const entry of listWaiting(ring)) {
    // An entry before it may have stopped it.
    if (entry.after === entry || ++entry.ticks <= entry.maxTicks) continue
    leave(entry)
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
