/** Time, as far as verification needs it. One object, so that tests can hold it still. */
export interface Clock {
  /** Milliseconds that only ever grow, for ages and delays: a corrected system clock must not empty or freeze a cache. */
  monotonic(): number
  /** Milliseconds since the epoch, for what tokens say about time. */
  wall(): number
  /** Runs `task` after `delay` milliseconds unless the returned function is called first. Never keeps the process alive. */
  after(delay: number, task: () => void): () => void
}

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(delay, task) {
    const timer = setTimeout(task, delay)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
