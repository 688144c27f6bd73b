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
}

/**
 * A client may call tools that no server has, and a server may not know either. With a count for each name, one user could have so many counted
 * that those of others, and their own, are forgotten, or the store is full.
 *
 * Names are forgotten, since what was made up once would otherwise leave no room for tools until the next start. Two periods are enough to know
 * what was used lately: what was in neither is forgotten without a look at it.
 *
 * @param keptMs - for so long, and at most twice as long, a name is known after its last use: by then, its count must come to nothing
 */
export function createToolNames(clock: Clock, keptMs: number): ToolNames {
  let recent = createNames()
  let older = createNames()
  let begunAt = clock.monotonic()
  const turn = (now: number): void => {
    older = now - begunAt < 2 * keptMs ? recent : createNames()
    recent = createNames()
    begunAt = now
  }
  const isFull = (owner: string): boolean =>
    recent.count(owner) + older.count(owner) >= MAX_NAMES || recent.size + older.size >= MAX_ALL
  return {
    tell(owner, tool) {
      if (tool.length > MAX_NAME_LENGTH) return OTHERS
      const now = clock.monotonic()
      if (now - begunAt >= keptMs) turn(now)
      if (recent.has(owner, tool)) return tool
      // In both it would count twice.
      if (!older.remove(owner, tool) && isFull(owner)) return OTHERS
      recent.add(owner, tool)
      return tool
    },
  }
}

interface Names {
  readonly size: number
  count(owner: string): number
  has(owner: string, tool: string): boolean
  add(owner: string, tool: string): void
  /** @returns whether it was there */
  remove(owner: string, tool: string): boolean
}

function createNames(): Names {
  const byOwner = new Map<string, Set<string>>()
  let size = 0
  return {
    get size() {
      return size
    },
    count: (owner) => byOwner.get(owner)?.size ?? 0,
    has: (owner, tool) => byOwner.get(owner)?.has(tool) === true,
    add(owner, tool) {
      const names = byOwner.get(owner) ?? new Set()
      // A copy: a substring would keep the whole body.
      byOwner.set(owner, names.add(Buffer.from(tool).toString()))
      size += 1
    },
    remove(owner, tool) {
      const had = byOwner.get(owner)?.delete(tool) === true
      if (had) size -= 1
      return had
    },
  }
}
