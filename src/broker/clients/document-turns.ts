/** For whom something is fetched. */
export interface Asked {
  readonly host: string
  /** Network of the client whose request needs it. */
  readonly asker: string
}

/** Shares out the fetches that unknown clients cause: a host that never answers uses up the share of the clients that name it only. */
export interface DocumentTurns {
  /**
   * Runs a fetch now, or fails: there is no queue.
   *
   * @param run - called with a signal that is aborted when the fetch has to give way
   * @throws NoTurnError
   */
  take<T>(asked: Asked, run: (signal: AbortSignal) => Promise<T>): Promise<T>
}

/** There is no free place for a fetch, or it had to give way to another. */
export class NoTurnError extends Error {
  override readonly name = 'NoTurnError'
}

const MOST = 64
const MAX_PER_HOST = 8
const MAX_PER_ASKER = 8
/** Of one asker at one host, so that no client uses up the places of a host. */
const MAX_PER_ASKER_AND_HOST = 2
/** After this time a fetch gives way to one of an equal asker: honest hosts have answered by then. */
const PATIENCE_MS = 1_000

interface Running extends Asked {
  readonly startedAt: number
  readonly controller: AbortController
}

/** @param now - milliseconds, monotonic */
export function createDocumentTurns(now: () => number): DocumentTurns {
  // In the order in which they began.
  const running = new Set<Running>()
  const makeRoom = (most: number, asker: string, isRival: (one: Running) => boolean) => {
    const rivals = [...running].filter(isRival)
    if (rivals.length < most) return
    const victim = findVictim(rivals, asker, now())
    if (victim === undefined) throw new NoTurnError('too many fetches at the same time')
    running.delete(victim)
    victim.controller.abort(new NoTurnError('it took too long and was canceled in favor of others'))
  }
  return {
    async take({ host, asker }, run) {
      makeRoom(MAX_PER_ASKER_AND_HOST, asker, (one) => one.asker === asker && one.host === host)
      makeRoom(MAX_PER_ASKER, asker, (one) => one.asker === asker)
      makeRoom(MAX_PER_HOST, asker, (one) => one.host === host)
      makeRoom(MOST, asker, () => true)
      const turn = { host, asker, startedAt: now(), controller: new AbortController() }
      running.add(turn)
      try {
        return await run(turn.controller.signal)
      } finally {
        running.delete(turn)
      }
    },
  }
}

/** The oldest fetch of the asker that has most; of equal askers only one that has run for long enough. */
function findVictim(rivals: readonly Running[], asker: string, now: number): Running | undefined {
  const counts = new Map<string, number>()
  for (const one of rivals) counts.set(one.asker, (counts.get(one.asker) ?? 0) + 1)
  const most = Math.max(...counts.values())
  const oldest = rivals.find((one) => counts.get(one.asker) === most)
  const isGreedy = most > (counts.get(asker) ?? 0) + 1
  return oldest !== undefined && (isGreedy || now - oldest.startedAt >= PATIENCE_MS) ? oldest : undefined
}
