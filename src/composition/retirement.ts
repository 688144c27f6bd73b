import type { Upstream } from '../core/ports.ts'
import type { Foundation } from './foundation.ts'
import type { Generation } from './generation.ts'
import type { GuardedServer } from './servers.ts'

/** Requests that were decided a moment ago are not among the open requests yet. */
const SETTLING_MS = 3000
const LOOK_MS = 250
/** What verifications and sign-ins that run may still ask: they have their own time limits, which are shorter. */
const LAST_QUESTION_MS = 30_000

/** Lets go of what a generation had and the next one does not. */
export interface Retirement {
  retire(before: Generation, after: Generation): void
  /** Ends at once what is still waiting. */
  close(): Promise<void>
}

export function createRetirement(foundation: Foundation): Retirement {
  const waiting = new Set<() => Promise<void>>()
  const later = (delay: number, isDone: () => boolean, close: () => Promise<unknown>): void => {
    const closeOnce = async (): Promise<void> => {
      if (waiting.delete(closeOnce)) await close()
    }
    waiting.add(closeOnce)
    const look = (): void => {
      if (isDone()) void closeOnce()
      else if (waiting.has(closeOnce)) foundation.clock.after(LOOK_MS, look)
    }
    foundation.clock.after(delay, look)
  }
  const always = (): boolean => true
  return {
    retire(before, after) {
      for (const upstream of listGone(before, after, ({ upstreams }) => upstreams.list())) {
        const deadline = foundation.clock.monotonic() + Math.max(SETTLING_MS, after.plan.drainSeconds * 1000)
        const isDone = () => !isUsed(foundation, upstream) || foundation.clock.monotonic() >= deadline
        later(SETTLING_MS, isDone, () => upstream.close(1000))
      }
      const plans = after.plan.servers.flatMap(({ issuers }) => issuers)
      for (const issuer of foundation.issuers.release(plans)) later(LAST_QUESTION_MS, always, () => issuer.close())
      for (const delegation of listGone(before, after, (server) => server.delegation ?? []))
        later(LAST_QUESTION_MS, always, () => delegation.close())
      const { mounted, rewrite, logout } = before
      if (mounted && mounted !== after.mounted) later(LAST_QUESTION_MS, always, () => mounted.broker.close())
      if (rewrite && rewrite !== after.rewrite) later(LAST_QUESTION_MS, always, () => rewrite.rewrite.close())
      later(LAST_QUESTION_MS, always, () => logout.close())
    },
    async close() {
      await Promise.all([...waiting].map((close) => close()))
    },
  }
}

/** What servers had, and none has now. */
function listGone<T>(before: Generation, after: Generation, listOf: (server: GuardedServer) => T | readonly T[]): T[] {
  const list = ({ servers }: Generation) => servers.flatMap(listOf)
  const kept = new Set(list(after))
  return list(before).filter((one) => !kept.has(one))
}

function isUsed({ openRequests }: Foundation, upstream: Upstream): boolean {
  return [...openRequests].some((request) => request.upstream === upstream)
}
