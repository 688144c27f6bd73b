/** Scope → scopes that it includes. */
type Hierarchy = Readonly<Record<string, readonly (string | undefined)[] | undefined>>

/** A hierarchy in which every scope names all scopes below it. */
export interface ClosedHierarchy {
  readonly closed: Readonly<Record<string, readonly string[]>>
  /** Scopes that are below themselves. */
  readonly cyclic: readonly string[]
}

/** Closes a hierarchy: what a scope includes, and what that includes, and so on. */
export function closeHierarchy(hierarchy: Hierarchy): ClosedHierarchy {
  const entries = Object.keys(hierarchy).map((scope) => [scope, collectBelow(scope, hierarchy)] as const)
  const cyclic = entries.filter(([scope, below]) => below.has(scope)).map(([scope]) => scope)
  return { closed: Object.fromEntries(entries.map(([scope, below]) => [scope, [...below]])), cyclic }
}

function collectBelow(scope: string, hierarchy: Hierarchy): ReadonlySet<string> {
  const found = new Set<string>()
  const waiting = [scope]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const below = Object.hasOwn(hierarchy, next) ? hierarchy[next] : undefined
    for (const lesser of below ?? []) {
      if (lesser === undefined || found.has(lesser)) continue
      found.add(lesser)
      waiting.push(lesser)
    }
  }
  return found
}
