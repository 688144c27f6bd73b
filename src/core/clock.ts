/** The time, and timers. One object that is passed in, so that tests move time instead of waiting for it. */
export interface Clock {
  /** Milliseconds that only ever grow, for ages, delays and deadlines: a corrected system clock must not empty or freeze a cache. */
  monotonic(): number
  /** Milliseconds since the epoch, for what tokens and stores say about time. */
  wall(): number
  /** Runs `task` once, `delay` milliseconds from now. Never keeps the process alive. */
  after(delay: number, task: () => void): CancelTimer
  /** Runs `task` every `interval` milliseconds. Never keeps the process alive. */
  every(interval: number, task: () => void): CancelTimer
}

/** Stops a timer. Does nothing when it has run or was stopped before. */
export type CancelTimer = () => void

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(delay, task) {
    const timer = setTimeout(task, delay).unref()
    return () => clearTimeout(timer)
  },
  every(interval, task) {
    const timer = setInterval(task, interval).unref()
    return () => clearInterval(timer)
  },
}
