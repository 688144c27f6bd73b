import { ProxyError } from '../core/errors.ts'

/** Keys that mean something to us, by their form without case. */
export type ReservedKeys = ReadonlyMap<string, string>

/** What {@link fold} leaves as it is. */
const isFolded = /^[a-z0-9_./-]*$/

/** @param keys - as they are spelled */
export function reserveKeys(...keys: string[]): ReservedKeys {
  return new Map(keys.map((key) => [fold(key), key]))
}

/**
 * The key as the most careless decoder sees it. Some compare member names without regard to case (Go's, cJSON); upper case first takes the
 * letters along which Unicode folds onto ASCII (ſ, K). And in C a string ends at its first NUL.
 */
function fold(key: string): string {
  const end = key.indexOf('\0')
  return (end < 0 ? key : key.slice(0, end)).toUpperCase().toLowerCase()
}

/**
 * Refuses keys that a careless decoder takes for a reserved one.
 *
 * @param keys - of one object
 * @throws ProxyError `json_ambiguous`
 */
export function refuseLookAlikes(keys: Iterable<string>, reserved: ReservedKeys): void {
  for (const key of keys) {
    const exact = reserved.get(key) ?? (isFolded.test(key) ? undefined : reserved.get(fold(key)))
    if (exact !== undefined && exact !== key) throw new ProxyError('json_ambiguous', { cause: `a key that looks like ${exact}` })
  }
}
