import { waitUntil } from '../../support/processes.ts'
import { type LoadReport, startLoad } from './load.ts'
import type { Replica } from './replica.ts'

const TAKEOVERS = 6
const PER_SECOND = 400
/** What a new process must have served before the next one comes. */
const SERVED = 20

export interface TakeoverReport extends LoadReport {
  readonly takeovers: number
  /** Of the processes that were replaced. */
  readonly exitCodes: readonly (number | null)[]
}

/** New processes take over from old ones, under load that never repeats a call. */
export async function takeOver(
  url: string,
  headers: Readonly<Record<string, string>>,
  start: () => Replica,
): Promise<TakeoverReport> {
  let current = start()
  const exitCodes: (number | null)[] = []
  await current.waitUntilReady()
  const load = startLoad({ url, perSecond: PER_SECOND, headers })
  for (let turn = 1; turn <= TAKEOVERS; turn += 1) {
    const next = start()
    await waitUntil(() => next.told.some((line) => line.includes('is listening on')), 'the new process listens', 30_000)
    current.signal('SIGTERM')
    await waitUntil(() => next.countServed() >= SERVED, 'the new process serves', 30_000)
    exitCodes.push((await current.exited).code)
    current = next
  }
  const report = await load.stop()
  current.signal('SIGTERM')
  await current.exited
  return { ...report, takeovers: TAKEOVERS, exitCodes }
}
