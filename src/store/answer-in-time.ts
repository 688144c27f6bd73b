import type { Clock } from '../core/clock.ts'

/** How long an answer may take. */
export interface Deadline {
  /** What is asked; `late` counts its answers that are overdue. */
  readonly line: { late: number }
  readonly clock: Clock
  readonly milliseconds: number
  readonly onLate: () => void
}

/** The client bounds the time of a command only until it is sent: a server that stands still, or is cut off, would hold us for as long. */
export function inTime<T>(
  { line, clock, milliseconds, onLate }: Deadline,
  ask: (isLate: () => boolean) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const cancel = clock.after(milliseconds, () => {
      isLate = true
      line.late += 1
      reject(new Error(`Redis did not answer within ${milliseconds / 1000} s`))
      onLate()
    })
    const settle = () => {
      cancel()
      if (isLate) line.late -= 1
    }
    ask(() => isLate)
      .finally(settle)
      .then(resolve, reject)
  })
}

/** What a server says before anything is asked of it, or an error when that takes too long. */
export async function orTooLate<T>(answer: Promise<T>, clock: Clock, milliseconds: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.after(milliseconds, () => late.reject(new Error(`no answer within ${milliseconds / 1000} s`)))
  return Promise.race([answer, late.promise]).finally(cancel)
}

interface Closable {
  close(): Promise<void>
  destroy(): void
}

/** Closes a connection; what was asked may be answered first, but not for long. */
export async function retire(client: Closable, clock: Clock, milliseconds: number): Promise<void> {
  let cancel = () => {}
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(milliseconds, resolve)
  })
  await Promise.race([client.close().catch(() => {}), late])
  cancel()
  discard(client)
}

/** Closes a connection at once, unless it is closed already. */
export function discard(client: Pick<Closable, 'destroy'>): void {
  try {
    client.destroy()
  } catch {
    // It is closed already.
  }
}

export function pause(clock: Clock, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void clock.after(milliseconds, resolve))
}
