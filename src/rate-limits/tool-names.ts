import type { Clock } from '../core/clock.ts'

/** Of each user (or whatever else has a count of its own). */
const MAX_NAMES = 1000
/** Of all of them together: more than there are counts has no use. */
const MAX_ALL = 100_000
/** "SHOULD be between 1 and 128 characters in length" (2025-11-25, server/tools, Tool Names). */
const MAX_NAME_LENGTH = 128
/** No tool has this name: one with NUL is refused before. */
const OTHERS = '\0others'

/** Tells which tools are counted apart. */
export interface ToolNames {
  /** @returns the name of the tool, or that of all others together */
  tell(owner: string, tool: string): string
  /** Its calls still run. @param name - as it was told */
  keep(owner: string, name: string): void
}

/** That many are forgotten in the course of one call at most: a flood of names must not hold up the first call after it. */
const MAX_FORGOTTEN = 2 * MAX_NAMES

/**
 * A client may call tools that no server has, and a server may not know either. With a count for each name, one user could have so many counted
 * that those of others, and their own, are forgotten, or the store is full. What was made up once would leave no room for tools until the next
 * start, so a name is forgotten when its count has come to nothing.
 *
 * @param keptMs - so long after its last use: by then, its count comes to nothing
 */
export function createToolNames(clock: Clock, keptMs: number): ToolNames {
  const known = new KnownNames()
  return {
    tell(owner, tool) {
      if (tool.length > MAX_NAME_LENGTH) return OTHERS
      const now = clock.monotonic()
      known.forget(now - keptMs)
      return known.use(owner, tool, now) ? tool : OTHERS
    },
    keep: (owner, name) => known.renew(owner, name, clock.monotonic()),
  }
}

interface LastUse {
  readonly owner: string
  readonly at: number
}

class KnownNames {
  /** The one that was not used for longest is the first. */
  readonly #uses = new Map<string, LastUse>()
  readonly #counts = new Map<string, number>()

  /** @returns whether the name is known now; false where there is no room for another one */
  use(owner: string, tool: string, at: number): boolean {
    const name = format(owner, tool)
    if (!this.#uses.delete(name)) {
      const count = this.#counts.get(owner) ?? 0
      if (count >= MAX_NAMES || this.#uses.size >= MAX_ALL) return false
      this.#counts.set(owner, count + 1)
    }
    this.#uses.set(name, { owner, at })
    return true
  }

  /** Nothing for one that is not known. */
  renew(owner: string, tool: string, at: number): void {
    const name = format(owner, tool)
    if (this.#uses.delete(name)) this.#uses.set(name, { owner, at })
  }

  /** @param until - forgets those that were used then for the last time, or before */
  forget(until: number): void {
    let left = MAX_FORGOTTEN
    for (const [name, { owner, at }] of this.#uses) {
      if (at > until || left-- === 0) return
      this.#uses.delete(name)
      this.#release(owner)
    }
  }

  #release(owner: string): void {
    const count = this.#counts.get(owner) ?? 0
    if (count > 1) this.#counts.set(owner, count - 1)
    else this.#counts.delete(owner)
  }
}

/** @param owner - a digest, which has no NUL */
function format(owner: string, tool: string): string {
  return `${owner}\0${tool}`
}
