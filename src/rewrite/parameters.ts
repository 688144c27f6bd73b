/** Parameters that may be there more than once (RFC 8707 §2, RFC 8693 §2.1). */
const REPEATABLE = new Set(['resource', 'audience'])

/**
 * The parameters of a request with those of the configuration in the place of the client's own of that name.
 *
 * @returns undefined when a parameter is there twice, which can be read in two ways (RFC 6749 §3.1)
 */
export function mergeParameters(sent: URLSearchParams, added: Readonly<Record<string, string>>): URLSearchParams | undefined {
  const seen = new Set<string>()
  const merged = new URLSearchParams()
  for (const [name, value] of sent) {
    if (seen.has(name) && !REPEATABLE.has(name)) return undefined
    seen.add(name)
    if (!Object.hasOwn(added, name)) merged.append(name, value)
  }
  for (const [name, value] of Object.entries(added)) merged.append(name, value)
  return merged
}
