import { ProxyError } from '../core/errors.ts'
import type { JsonMembers } from '../core/json/json-outline.ts'

/** Keys that we interpret. */
export interface ReservedKeys {
  readonly exact: readonly string[]
  /** By their case-folded form. */
  readonly folded: ReadonlyMap<string, string>
  readonly lengths: ReadonlySet<number>
}

/** @param keys - as they are spelled; ASCII without NUL */
export function reserveKeys(...keys: string[]): ReservedKeys {
  return { exact: keys, folded: new Map(keys.map((key) => [fold(key), key])), lengths: new Set(keys.map((key) => key.length)) }
}

/**
 * The key as the most lenient decoder sees it. Some compare member names case-insensitively (Go's, cJSON); converting to upper case first
 * covers letters that Unicode folds to ASCII (ſ, K). And in C a string ends at its first NUL.
 */
function fold(key: string): string {
  const end = key.indexOf('\0')
  return (end < 0 ? key : key.slice(0, end)).toUpperCase().toLowerCase()
}

/**
 * Refuses keys that a lenient decoder takes for a reserved one.
 *
 * @param members - of one object
 * @throws ProxyError `json_ambiguous`
 */
export function refuseLookAlikes(members: JsonMembers, reserved: ReservedKeys): void {
  members.forEach((key) => {
    const exact = findLookAlike(key, reserved)
    if (exact !== undefined) throw new ProxyError('json_ambiguous', { cause: `a key that looks like ${exact}` })
  })
}

/** The reserved key that a lenient decoder takes another one for; undefined for a key that is not taken for any. */
export function findLookAlike(key: string, reserved: ReservedKeys): string | undefined {
  return reserved.exact.includes(key) || isUnlikeAny(key, reserved) ? undefined : reserved.folded.get(fold(key))
}

/** Whether a lenient decoder takes one name for the other. */
export function looksLike(name: string, other: string): boolean {
  return fold(name) === fold(other)
}

/** Avoids folding most keys: ASCII keeps its length. */
function isUnlikeAny(key: string, { lengths }: ReservedKeys): boolean {
  if (lengths.has(key.length)) return false
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at)
    if (code === 0 || code > 0x7f) return false
  }
  return true
}
