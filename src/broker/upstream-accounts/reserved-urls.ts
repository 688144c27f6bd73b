import type { Clock } from '../../core/clock.ts'

/** URLs at hosts where users trust an authorization server for something else, as far as the configuration does not tell. */
export interface ReservedUrls {
  /** As they are now, or as they were read last where they cannot be read. @throws Error where they never could */
  list(): Promise<readonly string[]>
  /** As they were read last, without waiting for that; before the first time as far as they come within a second. */
  listKnown(): Promise<readonly string[]>
}

export const NO_RESERVED_URLS: ReservedUrls = { list: () => Promise.resolve([]), listKnown: () => Promise.resolve([]) }

/** A refresh has four seconds for this and the metadata of its authorization server before the lock has too little time left. */
const WAIT_MS = 1_000

/** @param read - called anew each time, but not while it is under way */
export function createReservedUrls(read: () => Promise<readonly string[]>, clock: Clock): ReservedUrls {
  let last: readonly string[] | undefined
  let reading: Promise<readonly string[]> | undefined
  const load = async (): Promise<readonly string[]> => {
    last = await read()
    return last
  }
  const readOnce = (): Promise<readonly string[]> => {
    reading ??= load().finally(() => {
      reading = undefined
    })
    return reading
  }
  const readOrLast = () =>
    readOnce().catch((error: unknown) => {
      if (last === undefined) throw error
      return last
    })
  return {
    list: readOrLast,
    async listKnown() {
      // A failure is told to those who connect accounts: they need what it says.
      const next = readOrLast().catch(() => [])
      return last ?? waitFor(next, clock)
    },
  }
}

/** None after a second. */
function waitFor(urls: Promise<readonly string[]>, clock: Clock): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const stop = clock.after(WAIT_MS, () => resolve([]))
    void urls.then(resolve).finally(stop)
  })
}
