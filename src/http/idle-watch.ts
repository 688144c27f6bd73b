/** How often those who wait are looked at, in milliseconds: timeouts are exact to this. */
const tickMilliseconds = 500

/** Something that waits for bytes. */
export interface Waiting {
  /** Bytes came: begin to count anew. */
  touch(): void
  /** It waits no more. */
  stop(): void
}

interface Entry {
  ticks: number
  readonly maxTicks: number
  readonly onIdle: () => void
}

const entries = new Set<Entry>()
let timer: NodeJS.Timeout | undefined

/**
 * Calls `onIdle` once when nothing was touched for `seconds`. One timer serves all who wait: a timer for each request costs more than
 * reading its header section.
 */
export function watchIdle(seconds: number, onIdle: () => void): Waiting {
  const entry: Entry = { ticks: 0, maxTicks: Math.ceil((seconds * 1000) / tickMilliseconds), onIdle }
  entries.add(entry)
  timer ??= setInterval(tick, tickMilliseconds).unref()
  return {
    touch() {
      entry.ticks = 0
    },
    stop() {
      entries.delete(entry)
    },
  }
}

function tick(): void {
  for (const entry of entries) {
    entry.ticks++
    if (entry.ticks <= entry.maxTicks) continue
    entries.delete(entry)
    entry.onIdle()
  }
  if (entries.size > 0) return
  clearInterval(timer)
  timer = undefined
}
