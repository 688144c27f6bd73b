import type { JsonMembers } from '../../core/json/json-outline.ts'
import { foldKey } from '../../core/json/lenient-key.ts'

/**
 * An argument name as the most lenient MCP server sees it: besides letter case, some take `maxAmount` and `max_amount` for one. Parsers of
 * protobuf's JSON must accept both ("ProtoJSON Format", JSON Options), models of Pydantic may. An underscore in front or at the end says
 * something else: `_id` is no `id`.
 */
export function foldArgumentName(name: string): string {
  const folded = foldKey(name)
  return folded.includes('_') ? folded.replaceAll(/(?<=[^_])_(?=[^_])/g, '') : folded
}

/** Up to this many names are compared one by one, which takes less time than folding them all. */
const FEW_NAMES = 12

/**
 * Finds whether another member of an object looks like the one of a name. Takes time in proportion to the names once, and to the one name
 * afterwards.
 */
export function createLookAlikeFinder(members: JsonMembers): (name: string) => boolean {
  if (members.size <= FEW_NAMES) return (name) => hasOneLike(members, name)
  const folded = foldNames(members)
  return (name) => {
    const form = foldArgumentName(name)
    return folded.has(form) && folded.get(form) !== name
  }
}

function hasOneLike(members: JsonMembers, name: string): boolean {
  let isFound = false
  members.forEach((other) => {
    isFound ||= other !== name && !differs(other, name) && foldArgumentName(other) === foldArgumentName(name)
  })
  return isFound
}

/** The name of each folded form; undefined where several have the same. */
function foldNames(members: JsonMembers): ReadonlyMap<string, string | undefined> {
  const folded = new Map<string, string | undefined>()
  members.forEach((name) => {
    const form = foldArgumentName(name)
    folded.set(form, folded.has(form) ? undefined : name)
  })
  return folded
}

const UNDERSCORE = '_'.charCodeAt(0)
/** The case of an ASCII letter. */
const CASE_BIT = 0x20

/**
 * Whether names differ, but for underscores, before the first character that folding turns into several, or that ends a name. Tells most
 * names apart without folding them.
 */
function differs(one: string, other: string): boolean {
  for (let at = 0, there = 0; ; at++, there++) {
    while (one.charCodeAt(at) === UNDERSCORE) at++
    while (other.charCodeAt(there) === UNDERSCORE) there++
    if (at >= one.length && there >= other.length) return false
    // NaN behind the end, which is no other character's code.
    const mine = one.charCodeAt(at)
    const its = other.charCodeAt(there)
    if (isFoldedOtherwise(mine) || isFoldedOtherwise(its)) return false
    if ((mine | CASE_BIT) !== (its | CASE_BIT) || at >= one.length || there >= other.length) return true
  }
}

function isFoldedOtherwise(code: number): boolean {
  return code === 0 || code > 0x7f
}
