/** Parameters that may be there more than once (RFC 8707 §2, RFC 8693 §2.1). */
const REPEATABLE = new Set(['resource', 'audience'])

/**
 * A name as lenient servers read it: PHP leaves out the spaces before it, makes `_` of what a variable cannot have, and ends it at NUL. ASP.NET folds
 * letter case, and Go's decoder of JSON takes `ſ` for `s`, too.
 */
export function foldName(name: string): string {
  const [begun = ''] = name.trimStart().split('\0', 1)
  return begun.toUpperCase().toLowerCase().replace(/[ .[]/g, '_')
}

/** Tells whether a name is not one of those that are added, but would be taken for one by a lenient server. */
export function createLookAlikes(added: Readonly<Record<string, string>>): (name: string) => boolean {
  const folded = new Set(Object.keys(added).map(foldName))
  return (name) => !Object.hasOwn(added, name) && folded.has(foldName(name))
}

/**
 * The parameters of a request with those of the configuration in the place of the client's own of that name.
 *
 * @returns undefined when a parameter is there twice, which can be read in two ways (RFC 6749 §3.1)
 */
export function mergeParameters(sent: URLSearchParams, added: Readonly<Record<string, string>>): URLSearchParams | undefined {
  /** Folded name → name. */
  const seen = new Map<string, string>()
  const isLookAlike = createLookAlikes(added)
  const merged = new URLSearchParams()
  for (const [name, value] of sent) {
    const folded = foldName(name)
    const before = seen.get(folded)
    const isRepeated = before !== undefined && (before !== name || !REPEATABLE.has(name))
    if (isLookAlike(name) || isRepeated) return undefined
    seen.set(folded, name)
    if (!Object.hasOwn(added, name)) merged.append(name, value)
  }
  for (const [name, value] of Object.entries(added)) merged.append(name, value)
  return merged
}
