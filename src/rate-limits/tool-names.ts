import { BoundedMap } from '../core/bounded-map.ts'

/** Of each user (or whatever else has a count of its own). */
const MAX_NAMES = 1000
/** "SHOULD be between 1 and 128 characters in length" (2025-11-25, server/tools, Tool Names). */
const MAX_NAME_LENGTH = 128
/** Whose names are remembered. */
const MAX_OWNERS = 10_000
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
 */
export function createToolNames(): ToolNames {
  const known = new BoundedMap<string, Set<string>>(MAX_OWNERS)
  return {
    tell(owner, tool) {
      if (tool.length > MAX_NAME_LENGTH) return OTHERS
      const names = known.get(owner) ?? new Set<string>()
      if (names.has(tool)) return tool
      if (names.size >= MAX_NAMES) return OTHERS
      // A copy: a substring would keep the whole body.
      names.add(Buffer.from(tool).toString())
      known.set(owner, names)
      return tool
    },
  }
}
