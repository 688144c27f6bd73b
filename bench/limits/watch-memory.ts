import type { Child } from '../child.ts'
import { pause } from './measured.ts'

/** Keeps asking for the resident memory, and remembers the most. */
export function watchMemory(proxy: Child, limit: number): { exceeded: Promise<void>; stop: () => Promise<number> } {
  let most = 0
  let over = false
  const watch = async (onExceeded: () => void): Promise<void> => {
    while (!over) {
      most = Math.max(most, await proxy.ask<number>('residentNow'))
      if (most > limit) onExceeded()
      await pause(20)
    }
  }
  let watching = Promise.resolve()
  const exceeded = new Promise<void>((resolve, reject) => {
    watching = watch(resolve)
    // Whoever cannot be asked any more is gone, and so is the run.
    watching.catch(reject)
  })
  return {
    exceeded,
    async stop() {
      over = true
      await watching
      return most
    },
  }
}
