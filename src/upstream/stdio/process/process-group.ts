import type { Clock } from '../../../core/clock.ts'

/** Sends a signal to a process and everything that it has started. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // ESRCH: no process is left in the group.
  }
}

/**
 * Ends a process that has lost its input: SIGTERM after a time, SIGKILL after twice that time (stdio, Shutdown).
 *
 * @param signal - sends a signal to the process
 * @param ended - resolves when the process is gone
 */
export function escalate(clock: Clock, graceMs: number, signal: (name: NodeJS.Signals) => void, ended: Promise<void>): void {
  const timers = [clock.after(graceMs, () => signal('SIGTERM')), clock.after(2 * graceMs, () => signal('SIGKILL'))]
  void ended.then(() => {
    for (const cancel of timers) cancel()
  })
}

/**
 * Calls `finish` when the output of an exited process is read: when it was silent for a while, and at the latest after `longestMs`, since a
 * process that has left the group may hold the pipe and go on writing.
 *
 * @returns functions to call with each further chunk, and when the output has ended
 */
export function awaitSilence(
  clock: Clock,
  { silentMs, longestMs }: { readonly silentMs: number; readonly longestMs: number },
  finish: () => void,
): { readonly heard: () => void; readonly closed: () => void } {
  const done = (): void => {
    cancelSilent()
    cancelLongest()
    finish()
  }
  let cancelSilent = clock.after(silentMs, done)
  const cancelLongest = clock.after(longestMs, done)
  return {
    heard() {
      cancelSilent()
      cancelSilent = clock.after(silentMs, done)
    },
    closed: done,
  }
}
