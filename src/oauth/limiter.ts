/** Lets only so many tasks run at the same time. */
export interface Limiter {
  /**
   * Runs a task, now or when it is its turn.
   *
   * @throws Error when too many are waiting already
   */
  run<T>(task: () => Promise<T>): Promise<T>
}

/**
 * @param concurrent - tasks at the same time
 * @param waiting - tasks that may wait; more are refused at once
 */
export function createLimiter(concurrent: number, waiting: number): Limiter {
  let running = 0
  const queue: (() => void)[] = []
  const takeTurn = async () => {
    if (running < concurrent) {
      running++
      return
    }
    if (queue.length >= waiting) throw new Error(`${waiting} requests are waiting already`)
    // The turn is handed over, so `running` stays as it is.
    await new Promise<void>((resolve) => queue.push(resolve))
  }
  const passTurn = () => {
    const next = queue.shift()
    if (next === undefined) running--
    else next()
  }
  return {
    async run(task) {
      await takeTurn()
      try {
        return await task()
      } finally {
        passTurn()
      }
    },
  }
}
