/** Lets only so many tasks run at the same time, and those who ask in turn: a flood of one holds up itself. */
export interface FairLimiter {
  /**
   * Runs a task, now or when its turn comes.
   *
   * @param asker - whose task it is; askers take turns. Undefined for tasks that go first
   * @throws Error when too many are waiting already
   */
  run<T>(task: () => Promise<T>, asker?: string): Promise<T>
}

interface Waiter {
  readonly begin: () => void
  readonly refuse: (error: Error) => void
}

/**
 * @param concurrent - tasks at the same time
 * @param waiting - tasks that may wait; beyond that, the newest tasks of the asker with the most are refused
 */
export function createFairLimiter(concurrent: number, waiting: number): FairLimiter {
  let running = 0
  const queue = createFairQueue(waiting)
  const takeTurn = async (asker: string | undefined) => {
    if (running < concurrent) {
      running++
      return
    }
    // The next task takes this one's place, so `running` does not change.
    await new Promise<void>((begin, refuse) => queue.add(asker ?? FIRST, { begin, refuse }))
  }
  const passTurn = () => {
    const next = queue.take()
    if (next === undefined) running--
    else next.begin()
  }
  return {
    async run(task, asker) {
      await takeTurn(asker)
      try {
        return await task()
      } finally {
        passTurn()
      }
    },
  }
}

const FIRST: unique symbol = Symbol('goes first')
type Asker = string | typeof FIRST

/** A queue for each asker. A Map keeps their order: after its turn an asker moves to the end. */
function createFairQueue(most: number) {
  const queues = new Map<Asker, Waiter[]>()
  let size = 0
  const put = (asker: Asker, waiters: Waiter[]) => {
    queues.delete(asker)
    if (waiters.length > 0) queues.set(asker, waiters)
  }
  const makeRoom = (asker: Asker) => {
    const [greedy, waiters] = findLongest(queues)
    const own = queues.get(asker)?.length ?? 0
    const hasMore = asker === FIRST ? greedy !== FIRST : waiters.length > own + 1
    if (greedy === undefined || greedy === FIRST || !hasMore) throw new Error(`${most} requests are waiting already`)
    waiters.pop()?.refuse(new Error(`${most} requests are waiting already, most of them of the same client network`))
    if (waiters.length === 0) queues.delete(greedy)
    size--
  }
  return {
    add(asker: Asker, waiter: Waiter) {
      if (size >= most) makeRoom(asker)
      const waiters = queues.get(asker)
      if (waiters === undefined) queues.set(asker, [waiter])
      else waiters.push(waiter)
      size++
    },
    take(): Waiter | undefined {
      const [longestIdle] = queues.keys()
      const asker = queues.has(FIRST) ? FIRST : longestIdle
      if (asker === undefined) return undefined
      const waiters = queues.get(asker) ?? []
      const next = waiters.shift()
      put(asker, waiters)
      size--
      return next
    },
  }
}

function findLongest(queues: ReadonlyMap<Asker, Waiter[]>): readonly [Asker | undefined, Waiter[]] {
  let longest: readonly [Asker | undefined, Waiter[]] = [undefined, []]
  for (const [asker, waiters] of queues) if (asker !== FIRST && waiters.length > longest[1].length) longest = [asker, waiters]
  return longest
}
