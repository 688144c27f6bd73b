/** How often those who wait are looked at, in milliseconds: timeouts are exact to this. */
const tickMilliseconds = 500

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

const ring = createRing()
let timer: NodeJS.Timeout | undefined

/**
 * Calls `onIdle` once when nothing was touched for `seconds`. One timer serves all who wait: a timer for each request costs more than
 * reading its header section.
 */
export function watchIdle(seconds: number, onIdle: () => void): Waiting {
  const entry: Entry = {
    ticks: 0,
    maxTicks: Math.ceil((seconds * 1000) / tickMilliseconds),
    onIdle,
    before: ring.before,
    after: ring,
  }
  ring.before.after = entry
  ring.before = entry
  timer ??= setInterval(tick, tickMilliseconds).unref()
  return {
    touch() {
      entry.ticks = 0
    },
    stop: () => leave(entry),
  }
}

/** The place where the ring begins and ends. It waits for nothing. */
function createRing(): Entry {
  const place = { ticks: 0, maxTicks: 0, onIdle: () => undefined } as unknown as Entry
  place.before = place
  place.after = place
  return place
}

/** Who has left points at itself, so that leaving again changes nothing for others. */
function leave(entry: Entry): void {
  entry.before.after = entry.after
  entry.after.before = entry.before
  entry.before = entry
  entry.after = entry
}

function tick(): void {
  for (const entry of listWaiting()) {
    // One of those before it may have called it off.
    if (entry.after === entry || ++entry.ticks <= entry.maxTicks) continue
    leave(entry)
    entry.onIdle()
  }
  if (ring.after !== ring) return
  clearInterval(timer)
  timer = undefined
}

function listWaiting(): Entry[] {
  const waiting: Entry[] = []
  for (let entry = ring.after; entry !== ring; entry = entry.after) waiting.push(entry)
  return waiting
}
