import { findTemplatePattern } from '../format/template-pattern.ts'
import { type Mistake, quote } from '../problem/problem.ts'
import { describeExclusion } from './name-patterns.ts'

/** Spellings that no reading of a URI has, so that a rule with one would be about nothing, or about more than it says. */
const MISTAKES: readonly (readonly [find: RegExp, reason: string, fix: string])[] = [
  [/[\\\x00-\x1f\x7f]/, 'has a backslash or a control character', 'Write `/` between segments, and no control characters.'],
  [/^\s|\s$/, 'begins or ends with white space', 'Remove it.'],
  [/^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#;]|$)/i, 'has a dot segment (`.` or `..`)', 'Write the path that it leads to.'],
  [/^[^/?#]*:\/\/[^?#]*\/\//, 'has an empty segment (`//`)', 'Write one `/` between segments.'],
  [/%25[0-9a-f]{2}/i, 'has an escape that is escaped itself', 'Write the character, or its escape.'],
  [/^\*(?![*:])/, 'fits no URI with a slash', 'Begin with `**` for any characters, slashes among them.'],
  [/^file:(?!\/)/i, 'is a relative path', 'Write `file:///` and the whole path.'],
]

/** What says it in the pattern as it is written; behind an escape, it is what the character stands for. */
const WRITTEN: typeof MISTAKES = [
  [/%2a/i, 'has an escaped wildcard', 'Write `*`, which fits an asterisk as well.'],
  [/[{}]/, 'has the braces of a template', 'Write `*` for a variable within a segment, `**` for any characters.'],
]

const MAX_LENGTH = 2048

/** What keeps the pattern of a rule's `resource` from meaning one thing. Case of scheme and host and default ports are no mistake. */
export function findResourcePatternMistake(pattern: string): Mistake | undefined {
  if (pattern.startsWith('!')) return describeExclusion(pattern)
  if (pattern.length > MAX_LENGTH) return { reason: `is longer than ${MAX_LENGTH} characters`, fix: 'Use wildcards.' }
  const decoded = pattern.replaceAll(/%([0-7][0-9a-f])/gi, (_escape, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
  const found =
    WRITTEN.find(([find]) => find.test(pattern)) ?? MISTAKES.find(([find]) => find.test(pattern) || find.test(decoded))
  if (found === undefined) return undefined
  const better = findTemplatePattern(pattern)
  return { reason: `${quote(pattern)} ${found[1]}`, fix: better === undefined ? found[2] : `Write ${quote(better)}.` }
}
