import { foldParameterName } from '../core/parameter-names.ts'

/** Parameters that may be there more than once (RFC 8707 §2, RFC 8693 §2.1). */
const REPEATABLE = new Set(['resource', 'audience'])

/** Tells whether a name is not one of those that are added, but would be taken for one by a lenient server. */
export function createLookAlikes(added: Readonly<Record<string, string>>): (name: string) => boolean {
  const folded = new Set(Object.keys(added).map((name) => foldParameterName(name)[0]))
  return (name) => !Object.hasOwn(added, name) && foldParameterName(name).some((one) => folded.has(one))
}

/**
 * The parameters of a request with those of the configuration in the place of the client's own of that name.
 *
 * @returns undefined when a parameter is there twice, which can be read in two ways (RFC 6749 §3.1)
 */
export function mergeParameters(sent: URLSearchParams, added: Readonly<Record<string, string>>): URLSearchParams | undefined {
  const names = [...sent.keys()]
  if (isAmbiguous(names) || names.some(createLookAlikes(added))) return undefined
  const merged = new URLSearchParams()
  for (const [name, value] of sent) if (!Object.hasOwn(added, name)) merged.append(name, value)
  for (const [name, value] of Object.entries(added)) merged.append(name, value)
  return merged
}

/** Whether a lenient server may take two parameters for one; items of one list are several. */
function isAmbiguous(names: readonly string[]): boolean {
  /** Folded name → name. */
  const seen = new Map<string, string>()
  for (const name of names) {
    const [whole] = foldParameterName(name)
    const before = seen.get(whole)
    if (before !== undefined && (before !== name || !REPEATABLE.has(name))) return true
    seen.set(whole, name)
  }
  return names.some((name) => {
    const [whole, ...others] = foldParameterName(name)
    return others.some((other) => other !== whole && seen.has(other))
  })
}
