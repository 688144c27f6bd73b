/** Parameters that may be there more than once (RFC 8707 §2, RFC 8693 §2.1). */
const REPEATABLE = new Set(['resource', 'audience'])

/** A name as lenient servers read it: ASP.NET folds letter case, PHP makes `_` of what a variable cannot have, and ends names at NUL. */
export function foldName(name: string): string {
  return (name.split('\0', 1)[0] ?? '').toLowerCase().replace(/[ .[]/g, '_')
}

/**
 * The parameters of a request with those of the configuration in the place of the client's own of that name.
 *
 * @returns undefined when a parameter is there twice, which can be read in two ways (RFC 6749 §3.1)
 */
export function mergeParameters(sent: URLSearchParams, added: Readonly<Record<string, string>>): URLSearchParams | undefined {
  const seen = new Set<string>()
  const merged = new URLSearchParams()
  for (const [name, value] of sent) {
    const folded = foldName(name)
    const isOther = folded !== name && Object.hasOwn(added, folded)
    if (isOther || (seen.has(folded) && !REPEATABLE.has(name))) return undefined
    seen.add(folded)
    if (!Object.hasOwn(added, name)) merged.append(name, value)
  }
  for (const [name, value] of Object.entries(added)) merged.append(name, value)
  return merged
}
