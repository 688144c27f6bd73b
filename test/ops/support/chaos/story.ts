import { createDice, type Dice } from '../../../support/dice.ts'
import { waitUntil } from '../../../support/processes.ts'
import type { Disorder, Span, Tally } from '../fleet/journal.ts'
import { type Player, STATELESS } from '../fleet/players.ts'
import { isAnyOlderThan } from '../fleet/requests.ts'
import { useSession } from '../fleet/sessions.ts'
import { startTraffic, type Traffic } from '../fleet/traffic.ts'
import { CLIENT_WAITS_MS } from '../fleet/verdict.ts'
import { useBroker } from './broker-user.ts'
import type { Holdings } from './control.ts'
import { type Fault, listFaults, waitUntilWell } from './faults.ts'
import { listen } from './listening-user.ts'
import { type ChaosStage, setChaosStage } from './stage.ts'

export interface ChaosOptions {
  /** Decides about the order of the faults, how long they last, and clocks. */
  readonly seed: string
  /** For how long there are faults; once each where undefined. */
  readonly seconds?: number
  /** Told of each fault. */
  readonly onFault?: (name: string) => void
}

export interface ChaosReport extends Tally {
  readonly faults: number
  /** Calls that reached an MCP server more than once, or without permission. */
  readonly miscarried: readonly string[]
  /** What the replica that was never ended held before and after. */
  readonly before: Holdings
  readonly after: Holdings
}

/** What memory may be of what it was (R8); more is a leak. */
const MAX_GROWTH = 1.5

/** What the survivor holds more than before. */
export function listKept({ before, after }: Pick<ChaosReport, 'before' | 'after'>): string[] {
  const most: Holdings = {
    heapBytes: before.heapBytes * MAX_GROWTH,
    rssBytes: before.rssBytes * MAX_GROWTH,
    timers: before.timers,
    descriptors: before.descriptors,
    children: before.children,
  }
  return (Object.keys(most) as (keyof Holdings)[])
    .filter((what) => after[what] > most[what])
    .map((what) => `${what}: ${before[what]} before, ${after[what]} after`)
}

const USERS: readonly (readonly Player[])[] = [
  ...Array.from({ length: 12 }, () => STATELESS),
  ...Array.from({ length: 4 }, () => [useSession]),
  ...Array.from({ length: 4 }, () => [listen]),
  ...Array.from({ length: 3 }, () => [useBroker]),
]
const PAUSE_MS = 40
const WARM_REQUESTS = 1500
const SURVIVOR = 1
/** Until everything has noticed that all is well again: two checks of the load balancer, the pauses of reconnecting to Redis. */
const NOTICED_MS = 10_000
/** Of a fault that breaks connections: until every client knows. */
const BROKEN_MS = 2000

/** Breaks everything, one thing at a time, while users work. */
export async function tellChaos({ seed, seconds, onFault = () => undefined }: ChaosOptions): Promise<ChaosReport> {
  const stage = await setChaosStage()
  try {
    const before = await warmUp(stage)
    const traffic = startUsers(stage)
    const disorder = await breakThings(stage, createDice(seed), seconds, onFault)
    await traffic.stop()
    const after = await rest(stage, before)
    return { ...traffic.journal.tally(disorder), faults: disorder.breaksOfAll, miscarried: listMiscarried(stage), before, after }
  } finally {
    await stage.close()
  }
}

const startUsers = ({ fleet: { origin, mint } }: ChaosStage): Traffic =>
  startTraffic({ origin, mint, users: USERS, pauseMs: PAUSE_MS })

/** What the survivor holds after work without faults. */
async function warmUp(stage: ChaosStage): Promise<Holdings> {
  const traffic = startUsers(stage)
  await waitUntil(() => traffic.journal.entries.length >= WARM_REQUESTS, 'users have worked', 120_000)
  await traffic.stop()
  const { complaints } = traffic.journal.tally({ disturbed: [], breaking: [] })
  if (complaints.length > 0) throw new Error(`without a fault: ${complaints.join('; ')}`)
  return settle(stage, ({ children }) => children <= 1)
}

/** Until connections and processes that are not used any more are gone. */
async function settle(stage: ChaosStage, isSettled: (holdings: Holdings) => boolean): Promise<Holdings> {
  let holdings = await stage.measure(SURVIVOR)
  await waitUntil(
    async () => {
      const next = await stage.measure(SURVIVOR)
      const isStill = next.descriptors === holdings.descriptors && next.timers === holdings.timers
      holdings = next
      return isStill && isSettled(next)
    },
    'the replica is at rest',
    60_000,
  ).catch(() => undefined)
  return holdings
}

const rest = (stage: ChaosStage, before: Holdings): Promise<Holdings> =>
  settle(
    stage,
    (after) => after.descriptors <= before.descriptors && after.timers <= before.timers && after.children <= before.children,
  )

interface Course extends Disorder {
  readonly breaksOfAll: number
}

async function breakThings(
  stage: ChaosStage,
  roll: Dice,
  seconds: number | undefined,
  onFault: (name: string) => void,
): Promise<Course> {
  const disturbed: Span[] = []
  const breaking: Span[] = []
  const until = performance.now() + (seconds ?? 0) * 1000
  let left: Fault[] = []
  for (;;) {
    if (left.length === 0) {
      if (disturbed.length > 0 && seconds === undefined) break
      left = [...listFaults(stage, roll)]
    }
    const [fault] = left.splice(roll(left.length), 1)
    if (fault === undefined || (seconds !== undefined && performance.now() >= until)) break
    onFault(fault.name)
    const from = performance.now()
    await suffer(stage, fault, lastsMs(roll, seconds))
    const to = performance.now()
    disturbed.push({ from, to: to + NOTICED_MS })
    if (fault.breaks) breaking.push({ from, to: from + BROKEN_MS })
  }
  return { disturbed, breaking, breaksOfAll: disturbed.length }
}

async function suffer(stage: ChaosStage, fault: Fault, milliseconds: number): Promise<void> {
  await fault.strike()
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  await fault.mend()
  const mended = performance.now()
  await waitUntilWell(stage)
  // TCP sends again what was lost, but takes its time: the next fault must not meet what is still on its way.
  await waitUntil(() => !isAnyOlderThan(mended), 'requests of before have ended', CLIENT_WAITS_MS)
}

/** Long enough to be noticed; in a long run also much longer. */
function lastsMs(roll: Dice, seconds: number | undefined): number {
  return 3000 + (seconds === undefined ? 0 : roll(9000))
}

function listMiscarried({ fleet: { mirror } }: ChaosStage): string[] {
  return [...mirror.seen].flatMap(([nonce, times]) =>
    times !== 1 || nonce.startsWith('unauthorized') ? [`${nonce} reached it ${times} times`] : [],
  )
}
