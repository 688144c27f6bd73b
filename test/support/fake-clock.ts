import type { CancelTimer, Clock } from '../../src/core/clock.ts'

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /** Lets time pass, and with it whatever was due. */
  advance(milliseconds: number): void
  /** Sets the system clock forward or back; no time passes. */
  jump(milliseconds: number): void
  /** How many tasks are planned. */
  readonly pending: number
}

interface Task {
  readonly at: number
  readonly run: () => void
}

/** @param start - milliseconds since the epoch */
export function createFakeClock(start = Date.now()): FakeClock {
  const tasks = new Set<Task>()
  let passed = 0
  let jumped = 0
  const after = (delay: number, run: () => void): CancelTimer => {
    const task = { at: passed + delay, run }
    tasks.add(task)
    return () => tasks.delete(task)
  }
  const every = (interval: number, run: () => void): CancelTimer => {
    let cancel = after(interval, repeat)
    function repeat(): void {
      cancel = after(interval, repeat)
      run()
    }
    return () => cancel()
  }
  return {
    get pending() {
      return tasks.size
    },
    monotonic: () => passed,
    wall: () => start + passed + jumped,
    after,
    every,
    advance(milliseconds) {
      const until = passed + milliseconds
      for (let next = findNext(tasks, until); next !== undefined; next = findNext(tasks, until)) {
        passed = next.at
        tasks.delete(next)
        next.run()
      }
      passed = until
    },
    jump(milliseconds) {
      jumped += milliseconds
    },
  }
}

function findNext(tasks: ReadonlySet<Task>, until: number): Task | undefined {
  return [...tasks].filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0]
}
