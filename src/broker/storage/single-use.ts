import { AsyncLocalStorage } from 'node:async_hooks'
import type { Provider } from 'oidc-provider'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'

/**
 * What was not answered was not used: codes, refresh tokens and assertions that are good once stay good when a request that shows them
 * comes to nothing through a fault of ours.
 */
export interface SingleUse {
  /** Runs `use` when all else of the current request is done, just before its answer; at once where there is no request. */
  whenAnswered(use: () => Promise<void>): Promise<void>
  /**
   * Takes back what the current request is about to write, unless the request is answered.
   *
   * @param key - of what is written; {@link settle} waits for it
   * @param undo - takes it back if it is there, and only what this very request wrote
   * @param isRefusal - whether a refusal (4xx) is no answer either
   */
  unlessAnswered(key: string, undo: () => Promise<unknown>, isRefusal?: boolean): void
  /** Takes back now what an unanswered request has left of an entry. */
  settle(key: string): Promise<void>
  /** Runs what waits for the answer of the current request. */
  readonly useAll: () => Promise<void>
  /** Goes around everything that may call the above. */
  readonly middleware: Parameters<Provider['use']>[0]
  close(): void
}

interface Undo {
  readonly key: string
  readonly isRefusal: boolean
  readonly run: () => Promise<unknown>
}

interface Leftover extends Undo {
  tries: number
}

/** What a request has planned. */
interface Pending {
  readonly uses: (() => Promise<void>)[]
  readonly undos: Undo[]
}

/** How often, and for how long, undoing is tried while the store fails. */
const RETRY_MS = 1000
const MAX_TRIES = 300
const MAX_LEFT = 1000

export function createSingleUse(clock: Clock, onIssue: (message: string) => void): SingleUse {
  const requests = new AsyncLocalStorage<Pending>()
  const left = createLeftovers(clock, onIssue)
  return {
    async whenAnswered(use) {
      const pending = requests.getStore()
      if (pending === undefined) await use()
      else pending.uses.push(use)
    },
    unlessAnswered: (key, run, isRefusal = false) => void requests.getStore()?.undos.push({ key, run, isRefusal }),
    settle: left.settle,
    async useAll() {
      for (const use of requests.getStore()?.uses ?? []) await use()
    },
    middleware(ctx, next) {
      const pending: Pending = { uses: [], undos: [] }
      return requests.run(pending, async () => {
        let status = 500
        try {
          await next()
          status = ctx.status
        } finally {
          for (const undo of pending.undos) if (status >= (undo.isRefusal ? 400 : 500)) left.add(undo)
        }
      })
    },
    close: left.close,
  }
}

/** What unanswered requests have written. The store has just failed, so that it may take some time to undo it. */
function createLeftovers(clock: Clock, onIssue: (message: string) => void) {
  const left = new BoundedMap<Leftover, true>(MAX_LEFT)
  let isTrying = false
  let isClosed = false
  let cancel = () => {}
  const undo = async (leftover: Leftover): Promise<void> => {
    await leftover.run()
    left.delete(leftover)
  }
  const tryAgain = async (leftover: Leftover): Promise<void> => {
    try {
      await undo(leftover)
    } catch (error) {
      leftover.tries += 1
      if (leftover.tries < MAX_TRIES) return
      left.delete(leftover)
      onIssue(`broker: the writes of a failed request could not be undone: ${(error as Error).message}`)
    }
  }
  const tryAll = async (): Promise<void> => {
    isTrying = true
    await Promise.all([...left.keys()].map(tryAgain))
    isTrying = left.size > 0
    if (isTrying && !isClosed) cancel = clock.after(RETRY_MS, () => void tryAll())
  }
  return {
    async settle(key: string): Promise<void> {
      for (const leftover of left.keys()) if (leftover.key === key) await undo(leftover)
    },
    add(planned: Undo): void {
      left.set({ ...planned, tries: 0 }, true)
      if (!isTrying) void tryAll()
    },
    close(): void {
      isClosed = true
      cancel()
    },
  }
}
