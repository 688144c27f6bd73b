import { spend, type Work } from '../work.ts'

/** Up to this length `includes` of V8 compares each character a few times at most. */
const SHORT = 16

/**
 * Whether a text contains another, in time that grows with the two lengths. `String.includes` takes their product for texts that were
 * made for it.
 */
export function containsText(text: string, needle: string, work: Work): boolean {
  spend(work, text.length + needle.length)
  if (work.left < 0) return false
  return needle.length <= SHORT ? text.includes(needle) : searchLong(text, needle)
}

/** Knuth, Morris and Pratt: no character of the text is looked at again. */
function searchLong(text: string, needle: string): boolean {
  const fallback = createFallback(needle)
  let matched = 0
  for (let at = 0; at < text.length && matched < needle.length; at++) {
    const code = text.charCodeAt(at)
    while (matched > 0 && needle.charCodeAt(matched) !== code) matched = fallback[matched - 1] ?? 0
    if (needle.charCodeAt(matched) === code) matched++
  }
  return matched === needle.length
}

/** For each beginning of the needle, the length of its longest proper end that it begins with, too. */
function createFallback(needle: string): Int32Array {
  const fallback = new Int32Array(needle.length)
  let length = 0
  for (let at = 1; at < needle.length; at++) {
    const code = needle.charCodeAt(at)
    while (length > 0 && needle.charCodeAt(length) !== code) length = fallback[length - 1] ?? 0
    if (needle.charCodeAt(length) === code) length++
    fallback[at] = length
  }
  return fallback
}

/** Orders texts by code points, as CEL does; `<` of JavaScript goes by UTF-16 and puts U+1F600 before U+FF01. */
export function compareText(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length)
  for (let at = 0; at < shorter; at++) {
    const difference = rank(left.charCodeAt(at)) - rank(right.charCodeAt(at))
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Puts surrogates, which stand for code points from U+10000 on, behind all other units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** The number of code points. */
export function countCharacters(text: string): number {
  let count = text.length
  for (let at = 0; at < text.length; at++) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--
  }
  return count
}

/** Changes the letters A to Z alone, so that no letter of another alphabet becomes one of these (the Kelvin sign is no `k`). */
export function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
