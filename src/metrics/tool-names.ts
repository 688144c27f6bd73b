/** Names that are told apart for each server: every one is a series that is kept for good. */
const MAX_NAMES = 256
const NAME = /^[\x20-\x7e]{1,128}$/
const OTHER = 'other'

/** Which tools have labels of their own: callers choose names, and a server may have any number of tools. */
export interface ToolNames {
  /** @param isPermitted - of a permitted call: only such a name is new to us, so that no guessed one takes a place */
  label(server: string, name: string, isPermitted: boolean): string
}

export function createToolNames(): ToolNames {
  const byServer = new Map<string, Set<string>>()
  return {
    label(server, name, isPermitted) {
      const known = byServer.get(server)
      if (known?.has(name)) return name
      if (!isPermitted || !NAME.test(name) || (known !== undefined && known.size >= MAX_NAMES)) return OTHER
      byServer.set(server, (known ?? new Set()).add(name))
      return name
    },
  }
}
