import { ProxyError } from '../core/errors.ts'
import type { JsonMembers } from '../core/json/json-outline.ts'
import { foldKey, mayChangeLength } from '../core/json/lenient-key.ts'

/** Keys that we interpret. */
export interface ReservedKeys {
  readonly exact: readonly string[]
  /** By their case-folded form. */
  readonly folded: ReadonlyMap<string, string>
  readonly lengths: ReadonlySet<number>
}

/** @param keys - as they are spelled; ASCII without NUL */
export function reserveKeys(...keys: string[]): ReservedKeys {
  return { exact: keys, folded: new Map(keys.map((key) => [foldKey(key), key])), lengths: new Set(keys.map((key) => key.length)) }
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
  return reserved.exact.includes(key) || isUnlikeAny(key, reserved) ? undefined : reserved.folded.get(foldKey(key))
}

/** Avoids folding most keys: ASCII keeps its length. */
function isUnlikeAny(key: string, { lengths }: ReservedKeys): boolean {
  return !lengths.has(key.length) && !mayChangeLength(key)
}
