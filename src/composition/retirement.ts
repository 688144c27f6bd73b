import type { Upstream } from '../core/ports.ts'
import type { Delegation } from '../delegation/delegation.ts'
import type { Foundation } from './foundation.ts'
import type { Generation } from './generation.ts'

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
      for (const upstream of listGone(before, after)) {
        const deadline = foundation.clock.monotonic() + Math.max(SETTLING_MS, after.plan.drainSeconds * 1000)
        const isDone = () => !isUsed(foundation, upstream) || foundation.clock.monotonic() >= deadline
        later(SETTLING_MS, isDone, () => upstream.close(1000))
      }
      const plans = after.plan.servers.flatMap(({ issuers }) => issuers)
      for (const issuer of foundation.issuers.release(plans)) later(LAST_QUESTION_MS, always, () => issuer.close())
      for (const delegation of listGoneDelegations(before, after)) later(LAST_QUESTION_MS, always, () => delegation.close())
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

function listGone(before: Generation, after: Generation): Upstream[] {
  const list = ({ servers }: Generation) => servers.flatMap(({ upstreams }) => upstreams.list())
  const kept = new Set(list(after))
  return list(before).filter((upstream) => !kept.has(upstream))
}

function listGoneDelegations(before: Generation, after: Generation): Delegation[] {
  const list = ({ servers }: Generation) => servers.flatMap(({ delegation }) => delegation ?? [])
  const kept = new Set(list(after))
  return list(before).filter((delegation) => !kept.has(delegation))
}

function isUsed({ openRequests }: Foundation, upstream: Upstream): boolean {
  return [...openRequests].some((request) => request.upstream === upstream)
}
